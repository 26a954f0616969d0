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

bool leaves_as_is(const Node& node) {
  return node.is("Identity") || node.is("Dropout");
}

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
    if (node.outputs.empty() || node.outputs[0] == kNoValue) {
      block(flow, fmt::format("{} reads it", show(node)));
      return;
    }
    const auto shape = c_.shape(node.outputs[0]);
    std::optional<ChannelMap> map;
    if (leaves_as_is(node) && operand == 0) {
      map = flow.map;
    } else if (node.is("Cast") && operand == 0) {
      if (node.attributes.get_int("to", 0) == static_cast<std::int64_t>(DType::float32)) {
        map = flow.map;
      }
    } else if ((node.is("Reshape") || node.is("Flatten") || node.is("Unsqueeze") ||
                node.is("Squeeze")) &&
               operand == 0) {
      if (shape) map = flow.map.reshaped(*shape);
    } else if (node.is("Transpose")) {
      map = flow.map.transposed(node.attributes.get_ints("perm"));
    } else if (node.is("Expand") && operand == 0) {
      const auto own = c_.shape(in);
      if (shape && own) map = flow.map.broadcast(*own, *shape);
    } else if (node.is("Slice") && operand == 0) {
      map = sliced(node, in, flow.map);
    } else if (node.is("Gather") && operand == 0) {
      map = gathered(node, flow.map);
    } else if (node.is("Split") && operand == 0) {
      split(node, flow);
      return;
    } else if (node.is("Mul") || (node.is("Div") && operand == 0)) {
      pass_elementwise(node, in, flow);
      return;
    } else if (node.is("Shape") || node.is("Size")) {
      return;
    } else if (node.is("Relu") || node.is("LeakyRelu")) {
      Flow behind = flow;
      behind.shift = behind.straight = false;
      behind.activated = true;
      arrive(node.outputs[0], std::move(behind));
      return;
    } else if (node.is("MatMul") && operand < 2) {
      pass_product(node, operand, flow);
      return;
    } else {
      block(flow, why_not(node, in));
      return;
    }
    if (!map) {
      block(flow, fmt::format("its channels can't be followed through {}", show(node)));
      return;
    }
    Flow behind = flow;
    behind.map = std::move(*map);
    arrive(node.outputs[0], std::move(behind));
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
      block(flow, fmt::format("its channels can't be followed through {}", show(node)));
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
    if (rank < 2 || flow.map.tells_apart(summed) || !shape || !own ||
        shape->size() < rank) {
      block(flow, fmt::format("{} mixes its channels", show(node)));
      return;
    }
    const SymbolicDim result = (*shape)[shape->size() - (operand == 0 ? 1 : 2)];
    SymbolicShape resized = *own;
    resized[summed] = result;
    auto map = flow.map.resized(summed, result);
    if (map) map = map->broadcast(resized, *shape);
    if (!map) {
      block(flow, fmt::format("its channels can't be followed through {}", show(node)));
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
    return axis == -1 ||
           (shape && axis == static_cast<std::int64_t>(shape->size()) - 1);
  }

  static std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank) {
    if (axis < 0) axis += static_cast<std::int64_t>(rank);
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
    return static_cast<std::size_t>(axis);
  }

  // Constants may stand behind Casts; others are computed from shapes.
  std::optional<std::vector<std::int64_t>> integers(ValueId value) const {
    if (auto known = c_.shapes.integers(value)) return known;
    const Tensor* tensor = patterns::constant_behind(graph_, value);
    if (tensor == nullptr || !is_integer(tensor->dtype())) return std::nullopt;
    return tensor->to_int64s();
  }

  // Along axes that tell no channels apart everything goes; along others only constant runs.
  std::optional<ChannelMap> sliced(const Node& node, ValueId in, const ChannelMap& map) const {
    const auto shape = c_.shape(node.outputs[0]);
    if (!shape || shape->size() != map.rank()) return std::nullopt;
    auto starts = node.attributes.get_ints("starts");
    auto ends = node.attributes.get_ints("ends");
    auto axes = node.attributes.get_ints("axes");
    std::vector<std::int64_t> steps;
    bool constant = true;
    if (node.inputs.size() > 1) {
      const auto read = [&](std::size_t i, std::vector<std::int64_t>& into) {
        if (node.input(i) == kNoValue) return;
        const auto numbers = integers(node.input(i));
        constant = constant && numbers;
        if (numbers) into = *numbers;
      };
      read(1, starts);
      read(2, ends);
      if (node.input(3) != kNoValue && !integers(node.input(3))) return std::nullopt;
      read(3, axes);
      read(4, steps);
    }
    if (axes.empty()) {
      axes.resize(constant ? starts.size() : map.rank());
      std::iota(axes.begin(), axes.end(), 0);
    }
    std::optional<ChannelMap> result = map;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const auto axis = axis_of(axes[i], map.rank());
      if (!axis || !result) return std::nullopt;
      if (!map.tells_apart(*axis)) {
        result = result->resized(*axis, (*shape)[*axis]);
        continue;
      }
      const std::int64_t size = c_.shapes.size(in, static_cast<std::int64_t>(*axis));
      if (!constant || size < 0 || i >= starts.size() || i >= ends.size()) return std::nullopt;
      if (i < steps.size() && steps[i] != 1) return std::nullopt;
      const auto place = [&](std::int64_t at) {
        return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
      };
      const std::int64_t begin = place(starts[i]);
      result = result->sliced(*axis, begin, place(ends[i]) - begin);
    }
    return result;
  }

  std::optional<ChannelMap> gathered(const Node& node, const ChannelMap& map) const {
    const auto axis = axis_of(node.attributes.get_int("axis", 0), map.rank());
    const SymbolicShape* indices = c_.shapes.shape(node.input(1));
    if (!axis || indices == nullptr) return std::nullopt;
    if (indices->size() == 1 && !map.tells_apart(*axis)) return map.resized(*axis, (*indices)[0]);
    if (!indices->empty()) return std::nullopt;
    if (!map.tells_apart(*axis)) return map.without(*axis);
    const auto index = integers(node.input(1));
    if (!index || index->size() != 1) return std::nullopt;
    const std::int64_t size = c_.shapes.size(node.inputs[0], static_cast<std::int64_t>(*axis));
    const std::int64_t at = (*index)[0] < 0 ? (*index)[0] + size : (*index)[0];
    const auto one = size < 0 ? std::nullopt : map.sliced(*axis, at, 1);
    return one ? one->without(*axis) : std::nullopt;
  }

  void split(const Node& node, const Flow& flow) {
    const auto axis = axis_of(node.attributes.get_int("axis", 0), flow.map.rank());
    std::int64_t begin = 0;
    for (const ValueId output : node.outputs) {
      const auto shape = c_.shape(output);
      const bool follows = axis && shape && *axis < shape->size();
      std::optional<ChannelMap> part;
      if (follows && !flow.map.tells_apart(*axis)) {
        part = flow.map.resized(*axis, (*shape)[*axis]);
      } else if (follows && (*shape)[*axis].known()) {
        part = flow.map.sliced(*axis, begin, (*shape)[*axis].size);
        begin += (*shape)[*axis].size;
      }
      if (!part) {
        block(flow, fmt::format("its channels can't be followed through {}", show(node)));
        return;
      }
      Flow behind = flow;
      behind.map = std::move(*part);
      arrive(output, std::move(behind));
    }
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
