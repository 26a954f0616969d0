// SPDX-License-Identifier: Apache-2.0
#include "model/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "ir/patterns/constants.h"
#include "model/graph_walk.h"

namespace onnxpress {
namespace {

// Values and uses that one walk looks at; keeps the search linear.
constexpr std::size_t kMaxVisited = 512;
constexpr std::size_t kMaxUses = 2048;

bool is_any(const Node& node, std::initializer_list<std::string_view> types) {
  return std::find(types.begin(), types.end(), node.op_type) != types.end();
}

// Nodes that scores pass on their way to the Softmax.
bool passes_scores(const Graph& graph, const Node& node) {
  return only_moves(graph, node) || is_any(node, {"Mul", "Div", "Add", "Sub", "Where", "Tanh",
                                                  "Clip", "Max", "Min", "Neg", "Concat", "Sum"});
}

// Both factors are computed from what flows through the model.
bool joins_two_values(const ViewIndex& index, NodeId id) {
  const Node& node = index.graph().node(id);
  return is_product(node) && !index.unit_of_product(id) && node.inputs.size() >= 2 &&
         !is_constant_like(index.graph(), node.inputs[0]) &&
         !is_constant_like(index.graph(), node.inputs[1]);
}

struct Scores {
  NodeId product{};
  bool biased = false;
  std::optional<double> factor = 1.0;
};

// The product that feeds a Softmax on the shortest way; those that give position terms are gathered
// or shifted on their way.
std::optional<Scores> find_scores(const ViewIndex& index, ValueId input) {
  const Graph& graph = index.graph();
  // value → the node that reads it, and which of its outputs the walk came from
  std::unordered_map<std::int32_t, std::pair<NodeId, ValueId>> came_by;
  std::deque<ValueId> open = {input};
  std::unordered_set<std::int32_t> seen = {static_cast<std::int32_t>(input)};
  while (!open.empty() && seen.size() < kMaxVisited) {
    const ValueId value = open.front();
    open.pop_front();
    const auto id = graph.producer_id(value);
    if (!id || index.unit_of(value) || index.norm_of(value) != nullptr) continue;
    const Node& node = graph.node(*id);
    if (joins_two_values(index, *id)) {
      Scores scores;
      scores.product = *id;
      for (ValueId at = value; at != input;) {
        const auto& [reader_id, output] = came_by.at(static_cast<std::int32_t>(at));
        const Node& reader = graph.node(reader_id);
        const ValueId other = patterns::other_operand(reader, at);
        if (reader.is("Mul") || reader.is("Div")) {
          const auto factor = patterns::scalar_constant(graph, other);
          if (factor && scores.factor) {
            scores.factor = reader.is("Mul") ? *scores.factor * *factor : *scores.factor / *factor;
          } else {
            scores.factor.reset();
          }
        } else if (is_any(reader, {"Add", "Sub", "Where", "Sum"})) {
          scores.biased = true;
        }
        at = output;
      }
      return scores;
    }
    if (!passes_scores(graph, node)) continue;
    for (const ValueId next : data_inputs(node)) {
      if (next == kNoValue || !seen.insert(static_cast<std::int32_t>(next)).second) continue;
      came_by.emplace(static_cast<std::int32_t>(next), std::pair(*id, value));
      open.push_back(next);
    }
  }
  return std::nullopt;
}

// The first node behind `value` that fits, through nodes that keep a probability or a context.
template <class Fits>
std::optional<Use> find_forward(const ViewIndex& index, ValueId value, bool through_norms,
                                Fits fits) {
  if (value == kNoValue) return std::nullopt;
  const Graph& graph = index.graph();
  std::deque<ValueId> open = {value};
  std::unordered_set<std::int32_t> seen = {static_cast<std::int32_t>(value)};
  const auto push = [&](ValueId next) {
    if (next != kNoValue && seen.insert(static_cast<std::int32_t>(next)).second) {
      open.push_back(next);
    }
  };
  std::size_t steps = 0;
  while (!open.empty() && seen.size() < kMaxVisited) {
    const ValueId at = open.front();
    open.pop_front();
    for (const Use& use : graph.value(at).uses) {
      const Node& node = graph.node(use.node);
      if (++steps > kMaxUses) return std::nullopt;
      if (use.input >= node.inputs.size()) continue;
      if (fits(use)) return use;
      if (is_product(node) || node.outputs.empty()) continue;
      const bool first = use.input == 0;
      const bool passes =
          (only_moves(graph, node) && first) || is_any(node, {"Mul", "Where", "Clip"}) ||
          (is_any(node, {"Div", "Sub"}) && first) ||
          (node.is("Add") && transparent_input(graph, node) == at) || node.is("Concat");
      if (passes) {
        for (const ValueId output : node.outputs) push(output);
      }
    }
    if (!through_norms) continue;
    for (const patterns::NormMatch* norm : index.norms_reading(at)) {
      if (++steps > kMaxUses) return std::nullopt;
      push(norm->output);
    }
  }
  return std::nullopt;
}

// The units that an operand of attention comes from, and what happens on the way.
struct Origin {
  std::vector<UnitIndex> units;
  bool rotary = false;
  double factor = 1;
  std::optional<UnitIndex> main;  // the largest
};

class OriginWalk {
 public:
  OriginWalk(const ViewIndex& index, ValueId start) : index_(index), graph_(index.graph()) {
    push(start);
    while (!open_.empty() && seen_.size() < kMaxVisited) {
      const ValueId value = open_.front();
      open_.pop_front();
      visit(value);
    }
    for (const UnitIndex unit : origin_.units) {
      const auto size = [&](UnitIndex i) { return index_.unit(i).in * index_.unit(i).out; };
      if (!origin_.main || size(unit) > size(*origin_.main)) origin_.main = unit;
    }
  }
  Origin result() { return std::move(origin_); }

 private:
  void push(ValueId value) {
    if (value != kNoValue && seen_.insert(static_cast<std::int32_t>(value)).second) {
      open_.push_back(value);
    }
  }

  void visit(ValueId value) {
    if (const auto unit = index_.unit_of(value)) {
      if (std::find(origin_.units.begin(), origin_.units.end(), *unit) == origin_.units.end()) {
        origin_.units.push_back(*unit);
      }
      return;
    }
    if (const patterns::NormMatch* norm = index_.norm_of(value)) {
      push(norm->input);
      return;
    }
    const Node* node = graph_.producer(value);
    if (node == nullptr || node->op_type == "Constant") return;
    if (is_product(*node) || is_any(*node, {"Softmax", "Sin", "Cos", "Shape", "Range", "CumSum"})) {
      return;
    }
    if (node->op_type == "RotaryEmbedding") origin_.rotary = true;
    if (node->op_type == "Gather" && is_constant_like(graph_, node->input(0))) return;
    if (node->is("Add") || node->is("Sub")) note_rotation(*node);
    if (node->is("Mul") || node->is("Div")) note_factor(*node);
    for (const ValueId input : data_inputs(*node)) push(input);
  }

  // x·cos + rotated(x)·sin, in whatever form: a sum of two products with computed or tabled
  // factors.
  void note_rotation(const Node& node) {
    if (node.inputs.size() != 2) return;
    for (const ValueId input : node.inputs) {
      const Node* product = graph_.producer(patterns::behind_casts(graph_, input));
      if (product == nullptr || !product->is("Mul") || product->inputs.size() != 2) return;
      if (patterns::scalar_constant(graph_, product->inputs[0]) ||
          patterns::scalar_constant(graph_, product->inputs[1])) {
        return;
      }
    }
    origin_.rotary = true;
  }

  void note_factor(const Node& node) {
    if (node.inputs.size() != 2 || origin_.rotary) return;
    const bool divides = node.is("Div");
    if (const auto factor = patterns::scalar_constant(graph_, node.inputs[1])) {
      origin_.factor *= divides ? 1 / *factor : *factor;
    } else if (const auto left = patterns::scalar_constant(graph_, node.inputs[0])) {
      if (!divides) origin_.factor *= *left;
    }
  }

  const ViewIndex& index_;
  const Graph& graph_;
  Origin origin_;
  std::deque<ValueId> open_;
  std::unordered_set<std::int32_t> seen_;
};

class Finder {
 public:
  explicit Finder(const ViewIndex& index)
      : index_(index), graph_(index.graph()), shapes_(index.shapes()) {}

  std::vector<Attention> run() {
    std::vector<Attention> found;
    for (const NodeId id : graph_.nodes()) {
      const Node& node = graph_.node(id);
      std::optional<Attention> block;
      if (node.is("Softmax") && !node.outputs.empty() && !node.inputs.empty()) {
        block = match_softmax(id, node.inputs[0], node.outputs[0]);
      } else if (node.is("Div") && node.inputs.size() == 2) {
        block = match_written_out(id);
      } else if (node.inputs.size() >= 2 && !node.outputs.empty()) {
        block = match_operator(id);
      }
      if (block) found.push_back(std::move(*block));
    }
    return found;
  }

 private:
  // exp(s - max(s)) / sum(exp(s - max(s))), the form of Softmax where an exporter writes it out.
  std::optional<Attention> match_written_out(NodeId id) {
    const Node& node = graph_.node(id);
    const Node* exponential = graph_.producer(node.inputs[0]);
    const Node* sum = graph_.producer(node.inputs[1]);
    if (exponential == nullptr || sum == nullptr || !exponential->is("Exp") ||
        !sum->is("ReduceSum") || sum->input(0) != node.inputs[0] || node.outputs.empty()) {
      return std::nullopt;
    }
    ValueId scores = exponential->input(0);
    const Node* shifted = graph_.producer(scores);
    if (shifted != nullptr && shifted->is("Sub")) scores = shifted->input(0);
    return match_softmax(id, scores, node.outputs[0]);
  }

  std::optional<Attention> match_softmax(NodeId id, ValueId input, ValueId output) {
    const auto scores = find_scores(index_, input);
    if (!scores) return std::nullopt;
    const auto context = find_forward(index_, output, false, [&](const Use& use) {
      return use.input < 2 && joins_two_values(index_, use.node);
    });
    if (!context) return std::nullopt;
    const Node& product = graph_.node(scores->product);
    Attention block;
    block.softmax = id;
    block.scores = scores->product;
    block.context = context->node;
    block.q = product.inputs[0];
    block.k = product.inputs[1];
    block.v = graph_.node(context->node).input(1 - context->input);
    block.biased = scores->biased;
    const std::array origins = trace(block);
    block.scale = scores->factor;
    if (block.scale) *block.scale *= origins[0].factor * origins[1].factor;
    if (product.op_type == "FusedMatMul" && block.scale) {
      *block.scale *= product.attributes.get_float("alpha", 1);
    }
    if (!graph_.node(context->node).outputs.empty()) {
      find_output(block, graph_.node(context->node).outputs[0]);
    }
    const std::int64_t q_size = shapes_.size(block.q, -1);
    const bool turned = product.is("Einsum") || product.attributes.get_int("transB", 0) != 0;
    const std::int64_t k_size = shapes_.size(block.k, turned ? -1 : -2);
    count_heads(block, q_size > 0 ? q_size : k_size, shapes_.size(block.v, -1));
    return block;
  }

  std::array<Origin, 3> trace(Attention& block) {
    std::array origins = {OriginWalk(index_, block.q).result(),
                          OriginWalk(index_, block.k).result(),
                          OriginWalk(index_, block.v).result()};
    block.q_unit = origins[0].main;
    block.k_unit = origins[1].main;
    block.v_unit = origins[2].main;
    block.rotary = block.rotary || (origins[0].rotary && !origins[0].units.empty());
    if (!block.q_unit || !block.k_unit || !block.v_unit) {
      block.packing = QkvPacking::not_by_unit;
    } else if (block.q_unit == block.k_unit && block.k_unit == block.v_unit) {
      block.packing = QkvPacking::packed;
    } else if (block.q_unit == block.k_unit || block.k_unit == block.v_unit ||
               block.q_unit == block.v_unit) {
      block.packing = QkvPacking::partly;
    } else {
      block.packing = QkvPacking::separate;
    }
    return origins;
  }

  void find_output(Attention& block, ValueId context) {
    const auto use = find_forward(index_, context, true, [&](const Use& candidate) {
      const auto unit = index_.unit_of_product(candidate.node);
      return unit && candidate.input != index_.unit(*unit).weight_operand;
    });
    if (use) block.output_unit = index_.unit_of_product(use->node);
  }

  // From the sizes of one head to the number of heads. Sizes that are not known are -1.
  void count_heads(Attention& block, std::int64_t head_dim, std::int64_t v_head_dim) {
    const auto out_of = [&](std::optional<UnitIndex> unit) {
      return unit ? index_.unit(*unit).out : std::int64_t{0};
    };
    if (head_dim <= 0) head_dim = v_head_dim;
    if (head_dim <= 0 && block.scale && *block.scale > 0 && *block.scale < 1) {
      head_dim = std::llround(1 / (*block.scale * *block.scale));  // of 1/√d
    }
    if (v_head_dim <= 0) v_head_dim = head_dim;
    if (head_dim <= 0) return;
    block.head_dim = head_dim;
    block.v_head_dim = v_head_dim;
    const auto divide = [](std::int64_t whole, std::int64_t part) {
      return part > 0 && whole % part == 0 ? whole / part : std::int64_t{0};
    };
    if (block.packing == QkvPacking::packed) {
      const std::int64_t whole = out_of(block.q_unit);
      if (block.output_unit) {
        block.heads = divide(index_.unit(*block.output_unit).in, v_head_dim);
      }
      if (block.heads == 0) block.heads = divide(whole, 2 * head_dim + v_head_dim);
      block.kv_heads = divide(whole - block.heads * head_dim, head_dim + v_head_dim);
    } else {
      const bool alone = block.q_unit != block.k_unit && block.q_unit != block.v_unit;
      if (alone) block.heads = divide(out_of(block.q_unit), head_dim);
      if (block.heads == 0 && block.output_unit) {
        block.heads = divide(index_.unit(*block.output_unit).in, v_head_dim);
      }
      if (block.k_unit && block.k_unit == block.v_unit) {
        block.kv_heads = divide(out_of(block.k_unit), head_dim + v_head_dim);
      } else if (block.k_unit && block.k_unit != block.q_unit) {
        block.kv_heads = divide(out_of(block.k_unit), head_dim);
      } else if (block.v_unit && block.v_unit != block.q_unit) {
        block.kv_heads = divide(out_of(block.v_unit), v_head_dim);
      }
    }
    if (block.heads == 0) block.heads = std::max<std::int64_t>(0, shapes_.size(block.q, -3));
    if (block.kv_heads == 0) block.kv_heads = block.heads;
  }

  // Operators that compute all of attention.
  std::optional<Attention> match_operator(NodeId id) {
    const Node& node = graph_.node(id);
    const bool standard = node.is("Attention");
    const bool contrib = node.domain == "com.microsoft" &&
                         is_any(node, {"MultiHeadAttention", "GroupQueryAttention", "Attention",
                                       "DecoderMaskedMultiHeadAttention", "PackedAttention",
                                       "PackedMultiHeadAttention", "SparseAttention"});
    if (!standard && !contrib) return std::nullopt;
    Attention block;
    block.softmax = id;
    block.fused = true;
    block.q = node.inputs[0];
    const bool weights_inside = contrib && is_any(node, {"Attention", "PackedAttention"});
    block.k = node.input(1) == kNoValue || weights_inside ? block.q : node.input(1);
    block.v = node.input(2) == kNoValue || weights_inside ? block.q : node.input(2);
    block.biased = (standard && node.input(3) != kNoValue) || node.input(5) != kNoValue;
    block.rotary = node.attributes.get_int("do_rotary", 0) != 0;
    const float scale = node.attributes.get_float("scale", 0);
    if (scale != 0) block.scale = scale;
    if (!weights_inside) trace(block);
    find_output(block, node.outputs[0]);
    const std::string_view heads = standard ? "q_num_heads" : "num_heads";
    block.heads =
        node.attributes.get_int(heads, std::max<std::int64_t>(0, shapes_.size(block.q, -3)));
    block.kv_heads = node.attributes.get_int(
        standard ? "kv_num_heads" : "kv_num_heads",
        standard ? std::max<std::int64_t>(0, shapes_.size(block.k, -3)) : block.heads);
    if (block.kv_heads <= 0) block.kv_heads = block.heads;
    set_head_dim(block, node, weights_inside);
    return block;
  }

  void set_head_dim(Attention& block, const Node& node, bool weights_inside) {
    if (block.heads <= 0) return;
    const std::int64_t parts = block.heads + 2 * block.kv_heads;
    if (weights_inside) {
      const std::int64_t columns = shapes_.size(node.input(1), -1);
      if (columns > 0) block.head_dim = columns / parts;
    } else if (block.packing == QkvPacking::packed && node.input(1) == kNoValue) {
      block.head_dim = index_.unit(*block.q_unit).out / parts;
    } else if (block.q_unit && block.packing == QkvPacking::separate) {
      block.head_dim = index_.unit(*block.q_unit).out / block.heads;
    } else if (const SymbolicShape* shape = shapes_.shape(block.q)) {
      const std::int64_t last = shapes_.size(block.q, -1);
      if (last > 0) block.head_dim = shape->size() == 3 ? last / block.heads : last;
    }
    block.v_head_dim = block.head_dim;
  }

  const ViewIndex& index_;
  const Graph& graph_;
  const SymbolicShapes& shapes_;
};

}  // namespace

std::vector<Attention> find_attentions(const ViewIndex& index) {
  return Finder(index).run();
}

}  // namespace onnxpress
