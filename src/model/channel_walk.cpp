// SPDX-License-Identifier: Apache-2.0
#include "model/channel_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "ir/patterns/constants.h"
#include "model/channel_moves.h"
#include "model/graph_walk.h"

namespace onnxpress {
namespace {

// What one walk looks at; keeps all of them together linear.
constexpr std::size_t kMaxNodes = 256;
constexpr std::size_t kMaxUses = 2048;

struct Flow {
  ChannelMap map;
  bool shift = true;
  bool straight = true;
  bool activated = false;
};

std::string show(const Node& node) {
  return node.name.empty() ? node.op_type : fmt::format("{} \"{}\"", node.op_type, node.name);
}

class Walker {
 public:
  Walker(const WalkContext& context, std::int64_t channels) : c_(context), graph_(context.graph) {
    walk_.blocked.assign(static_cast<std::size_t>(channels), -1);
  }

  ChannelWalk run(ValueId source) {
    const auto shape = c_.shape(source);
    const auto channels = static_cast<std::int64_t>(walk_.blocked.size());
    if (!shape) {
      block_all("the shapes of its result are not known");
      return std::move(walk_);
    }
    arrive(source, {ChannelMap(*shape, channels)});
    std::size_t steps = 0;
    while (!open_.empty()) {
      const auto [order, id] = *open_.begin();
      open_.erase(open_.begin());
      if (++steps > kMaxNodes) {
        block_all("more nodes read it than are looked at");
        break;
      }
      visit(id);
    }
    return std::move(walk_);
  }

 private:
  void block_all(const std::string& reason) {
    std::vector<std::int32_t> all(walk_.blocked.size());
    std::iota(all.begin(), all.end(), 0);
    walk_.block(all, reason);
  }

  void arrive(ValueId value, Flow flow) {
    const Value& v = graph_.value(value);
    if (v.is_output) {
      walk_.block(flow.map.channels(), fmt::format("\"{}\" is an output of the graph", v.name));
    }
    if (v.dtype != DType::float32 && v.dtype != DType::undefined) {
      walk_.block(flow.map.channels(), fmt::format("\"{}\" is not float32", v.name));
    }
    uses_ += v.uses.size();
    if (uses_ > kMaxUses) {
      block_all("more nodes read it than are looked at");
      return;
    }
    for (const Use& use : v.uses) {
      const Node& node = graph_.node(use.node);
      if (use.input >= node.inputs.size()) {
        walk_.block(flow.map.channels(), fmt::format("a body of {} reads it", show(node)));
      } else {
        open_.emplace(c_.order[static_cast<std::size_t>(use.node)], use.node);
      }
    }
    flows_.emplace(value, std::move(flow));
  }

  const Flow* flow_of(ValueId value) const {
    const auto at = flows_.find(value);
    return at == flows_.end() ? nullptr : &at->second;
  }

  void block(const Flow& flow, const std::string& reason) {
    walk_.block(flow.map.channels(), reason);
  }

  void visit(NodeId id) {
    const Node& node = graph_.node(id);
    std::vector<std::size_t> operands;  // that carry the channels
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue && flow_of(node.inputs[i]) != nullptr) operands.push_back(i);
    }
    if (operands.size() == 1) {
      visit(id, node, operands[0], *flow_of(node.inputs[operands[0]]));
    } else {
      join(node, operands);
    }
  }

  // Several operands carry channels of the same source. One of them may be scaled for both where
  // they are multiplied: the one that no activation has touched.
  void join(const Node& node, const std::vector<std::size_t>& operands) {
    if (operands.size() == 2 && node.is("Mul")) {
      ValueId gate = node.inputs[0];
      ValueId scaled = node.inputs[1];
      if (flow_of(scaled)->activated) std::swap(gate, scaled);
      const auto gates = flow_of(gate)->map.channels();
      const auto rest = flow_of(scaled)->map.channels();
      std::vector<std::int32_t> both;
      std::set_intersection(gates.begin(), gates.end(), rest.begin(), rest.end(),
                            std::back_inserter(both));
      if (both.empty()) {
        walk_.block(gates, "it is the other factor of a gate");
        pass_elementwise(node, scaled, *flow_of(scaled));
        return;
      }
    }
    for (const std::size_t operand : operands) {
      block(*flow_of(node.inputs[operand]), fmt::format("{} joins its channels", show(node)));
    }
  }

  void visit(NodeId id, const Node& node, std::size_t operand, const Flow& flow) {
    const ValueId in = node.inputs[operand];
    if (const auto unit = c_.view.unit_of(id)) {
      end(*unit, operand, flow);
      return;
    }
    const bool useless = node.outputs.empty() || node.outputs[0] == kNoValue;
    if (node.is("Shape") || node.is("Size")) return;
    if (!useless && operand == 0 && moves_channels(node)) {
      move(node, flow);
    } else if (!useless && (node.is("Mul") || (node.is("Div") && operand == 0))) {
      pass_elementwise(node, in, flow);
    } else if (!useless && (node.is("Relu") || node.is("LeakyRelu"))) {
      Flow behind = flow;
      behind.shift = behind.straight = false;
      behind.activated = true;
      arrive(node.outputs[0], std::move(behind));
    } else if (!useless && node.is("MatMul")) {
      pass_product(node, operand, flow);
    } else {
      block(flow, why_not(node, in));
    }
  }

  void move(const Node& node, const Flow& flow) {
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue || (i > 0 && !node.is("Split"))) continue;
      auto map = moved_channels(c_, node, i, flow.map);
      if (!map) {
        block(flow, lost(node));
        return;
      }
      Flow behind = flow;
      behind.map = std::move(*map);
      arrive(node.outputs[i], std::move(behind));
    }
  }

  static std::string lost(const Node& node) {
    return fmt::format("its channels can't be followed through {}", show(node));
  }

  std::string why_not(const Node& node, ValueId in) const {
    const bool sum = node.is("Add") || node.is("Sub") || node.is("Sum");
    if (node.op_type.starts_with("Skip")) return "the residual reads it too";
    if (!sum) return fmt::format("{} reads it", show(node));
    for (const ValueId other : node.inputs) {
      if (other != in && is_constant_like(graph_, other)) {
        return fmt::format("{} adds a constant", show(node));
      }
    }
    return "the residual reads it too";
  }

  void end(UnitIndex index, std::size_t operand, const Flow& flow) {
    const LinearUnit& unit = c_.view.units()[index];
    if (operand != 0) {
      block(flow, fmt::format("{} reads it, but not as its input", unit.label));
      return;
    }
    auto channel = flow.map.along_last(unit.in);
    const bool turned = graph_.node(unit.product).attributes.get_int("transA", 0) != 0;
    if (!channel || turned) {
      block(flow, fmt::format("its channels are no columns of what {} reads", unit.label));
      return;
    }
    walk_.ends.push_back({index, std::move(*channel), flow.shift, flow.straight});
  }

  void pass_elementwise(const Node& node, ValueId in, const Flow& flow) {
    const auto own = c_.shape(in);
    const auto shape = c_.shape(node.outputs[0]);
    auto map = own && shape ? flow.map.broadcast(*own, *shape) : std::nullopt;
    if (!map) {
      block(flow, lost(node));
      return;
    }
    Flow behind = flow;
    behind.map = std::move(*map);
    behind.shift = behind.straight = false;
    arrive(node.outputs[0], std::move(behind));
  }

  // Attention: probabilities · v mixes tokens, not channels.
  void pass_product(const Node& node, std::size_t operand, const Flow& flow) {
    const std::size_t rank = flow.map.rank();
    const std::size_t summed = operand == 0 ? rank - 1 : rank - 2;
    const auto shape = c_.shape(node.outputs[0]);
    const auto own = c_.shape(node.inputs[operand]);
    if (rank < 2 || flow.map.tells_apart(summed) || !shape || !own || shape->size() < rank) {
      block(flow, fmt::format("{} mixes its channels", show(node)));
      return;
    }
    const SymbolicDim result = (*shape)[shape->size() - (operand == 0 ? 1 : 2)];
    SymbolicShape resized = *own;
    resized[summed] = result;
    auto map = flow.map.resized(summed, result);
    if (map) map = map->broadcast(resized, *shape);
    if (!map) {
      block(flow, lost(node));
      return;
    }
    Flow behind = flow;
    behind.map = std::move(*map);
    behind.shift = flow.shift && operand == 1 && sums_to_one(node.inputs[0]);
    behind.straight = false;
    arrive(node.outputs[0], std::move(behind));
  }

  // Softmax over the last axis.
  bool sums_to_one(ValueId value) const {
    const ValueId source = patterns::behind_casts(graph_, value);
    const Node* node = graph_.producer(source);
    if (node == nullptr || !node->is("Softmax")) return false;
    const std::int64_t axis = node->attributes.get_int("axis", -1);
    const auto shape = c_.shape(source);
    return axis == -1 || (shape && axis == static_cast<std::int64_t>(shape->size()) - 1);
  }

  const WalkContext& c_;
  const Graph& graph_;
  ChannelWalk walk_;
  std::map<ValueId, Flow> flows_;
  std::set<std::pair<std::int32_t, NodeId>> open_;
  std::size_t uses_ = 0;
};

}  // namespace

void ChannelWalk::block(const std::vector<std::int32_t>& channels, const std::string& reason) {
  std::int32_t index = -1;
  for (const std::int32_t channel : channels) {
    auto& why = blocked.at(static_cast<std::size_t>(channel));
    if (why >= 0) continue;
    if (index < 0) {
      index = static_cast<std::int32_t>(reasons.size());
      reasons.push_back(reason);
    }
    why = index;
  }
}

WalkContext::WalkContext(const Graph& the_graph, const TransformerView& the_view)
    : graph(the_graph),
      view(the_view),
      shapes(the_graph),
      order(the_graph.node_capacity()),
      width(the_graph.value_capacity()) {
  std::int32_t next = 0;
  for (const NodeId id : graph.nodes()) order[static_cast<std::size_t>(id)] = next++;
  for (const LinearUnit& unit : view.units()) {
    const bool turned = graph.node(unit.product).attributes.get_int("transA", 0) != 0;
    if (!turned) width[static_cast<std::size_t>(unit.input)] = unit.in;
  }
}

std::optional<SymbolicShape> WalkContext::shape(ValueId value) const {
  const SymbolicShape* found = shapes.shape(value);
  if (found == nullptr || found->empty()) return std::nullopt;
  SymbolicShape result = *found;
  const std::int64_t last = width[static_cast<std::size_t>(value)];
  if (!result.back().known() && last > 0) result.back() = known(last);
  return result;
}

ChannelWalk walk_channels(const WalkContext& context, ValueId source, std::int64_t channels) {
  return Walker(context, channels).run(source);
}

}  // namespace onnxpress
