// SPDX-License-Identifier: Apache-2.0
#include "model/attention_walk.h"

#include <algorithm>
#include <deque>
#include <initializer_list>
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

class OriginWalk {
 public:
  OriginWalk(const ViewIndex& index, ValueId start) : index_(index), graph_(index.graph()) {
    push(start);
    while (!open_.empty() && seen_.size() < kMaxVisited) {
      const ValueId value = open_.front();
      open_.pop_front();
      visit(value);
    }
    for (const std::size_t unit : origin_.units) {
      const auto size = [&](std::size_t i) {
        return static_cast<double>(index_.unit(i).in) * static_cast<double>(index_.unit(i).out);
      };
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

}  // namespace

bool joins_two_values(const ViewIndex& index, NodeId id) {
  const Node& node = index.graph().node(id);
  return is_product(node) && !index.unit_of_product(id) && node.inputs.size() >= 2 &&
         !is_constant_like(index.graph(), node.inputs[0]) &&
         !is_constant_like(index.graph(), node.inputs[1]);
}

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

std::optional<Use> find_forward(const ViewIndex& index, ValueId value, bool through_norms,
                                const std::function<bool(const Use&)>& fits) {
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

Origin find_origin(const ViewIndex& index, ValueId operand) {
  return OriginWalk(index, operand).result();
}

}  // namespace onnxpress
