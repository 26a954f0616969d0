// SPDX-License-Identifier: Apache-2.0
#include "model/feed_forward.h"

#include <deque>
#include <optional>
#include <string>
#include <unordered_set>

#include "model/graph_walk.h"

namespace onnxpress {
namespace {

constexpr int kMaxSteps = 16;
constexpr std::size_t kMaxVisited = 128;
constexpr std::size_t kMaxUses = 1024;

class Finder {
 public:
  explicit Finder(const ViewIndex& index) : index_(index), graph_(index.graph()) {}

  std::vector<FeedForward> run() {
    std::vector<FeedForward> found;
    for (UnitIndex down = 0; down < index_.unit_count(); ++down) {
      auto pair = match(down);
      if (pair) found.push_back(*pair);
    }
    return found;
  }

 private:
  std::optional<FeedForward> match(UnitIndex down) {
    const LinearUnit& unit = index_.unit(down);
    ValueId value = unit.input;
    for (int step = 0; step < kMaxSteps && value != kNoValue; ++step) {
      std::optional<FeedForward> pair = match_at(value);
      if (pair) {
        pair->down = down;
        pair->hidden = unit.in;
        const bool returns = unit.out == index_.unit(pair->up).in;
        return returns && joins_residual(unit.biased_output) ? pair : std::nullopt;
      }
      if (index_.unit_of(value)) return std::nullopt;
      if (const patterns::NormMatch* norm = index_.norm_of(value)) {  // a norm in front of `down`
        value = norm->residual == kNoValue ? norm->input : kNoValue;
        continue;
      }
      const Node* node = graph_.producer(value);
      value = node == nullptr ? kNoValue : transparent_input(graph_, *node);
    }
    return std::nullopt;
  }

  // Whether `value` is an activated unit, or one that is gated by another.
  std::optional<FeedForward> match_at(ValueId value) {
    if (const patterns::ActivationMatch* act = index_.activation_of(value)) {
      const auto up = index_.unit_behind(act->input, false);
      if (!up) return std::nullopt;
      FeedForward pair;
      pair.up = *up;
      set_activation(pair, *act);
      return pair;
    }
    if (const auto up = index_.unit_of(value)) return match_fused(*up);
    const Node* node = graph_.producer(value);
    if (node == nullptr || !node->is("Mul") || node->inputs.size() != 2) return std::nullopt;
    for (const std::size_t side : {0U, 1U}) {
      const patterns::ActivationMatch* act = activation_behind(node->inputs[side]);
      if (act == nullptr) continue;
      const auto gate = index_.unit_behind(act->input, false);
      const auto up = index_.unit_behind(node->inputs[1 - side], false);
      if (!gate || !up) continue;
      FeedForward pair;
      pair.up = *up;
      pair.gate = gate;
      set_activation(pair, *act);
      return pair;
    }
    return std::nullopt;
  }

  // A Gemm of ONNX Runtime that applies its activation itself.
  std::optional<FeedForward> match_fused(UnitIndex up) {
    const NodeId id = index_.unit(up).product;
    const std::string activation = graph_.node(id).attributes.get_string("activation", "");
    if (activation.empty()) return std::nullopt;
    FeedForward pair;
    pair.up = up;
    pair.activation = id;
    pair.kind =
        activation == "Relu" ? patterns::ActivationKind::relu : patterns::ActivationKind::other;
    return pair;
  }

  void set_activation(FeedForward& pair, const patterns::ActivationMatch& act) {
    pair.activation = act.anchor;
    pair.kind = act.kind;
  }

  const patterns::ActivationMatch* activation_behind(ValueId value) {
    for (int step = 0; step < kMaxSteps && value != kNoValue; ++step) {
      if (const auto* act = index_.activation_of(value)) return act;
      if (index_.unit_of(value)) return nullptr;
      const Node* node = graph_.producer(value);
      value = node == nullptr ? kNoValue : transparent_input(graph_, *node);
    }
    return nullptr;
  }

  // Whether the value, moved, scaled or normalised, is added to another computed value.
  bool joins_residual(ValueId start) {
    std::deque<ValueId> open = {start};
    std::unordered_set<std::int32_t> seen = {static_cast<std::int32_t>(start)};
    const auto push = [&](ValueId value) {
      if (value != kNoValue && seen.insert(static_cast<std::int32_t>(value)).second) {
        open.push_back(value);
      }
    };
    std::size_t steps = 0;
    while (!open.empty() && seen.size() < kMaxVisited) {
      const ValueId value = open.front();
      open.pop_front();
      for (const Use& use : graph_.value(value).uses) {
        const Node& node = graph_.node(use.node);
        if (++steps > kMaxUses) return false;
        if (use.input >= node.inputs.size() || node.outputs.empty()) continue;
        if (node.op_type.starts_with("Skip") && use.input < 2) return true;
        if (node.is("Add") || node.is("Sum")) {
          if (transparent_input(graph_, node) != value) return true;
          push(node.outputs[0]);
        } else if (node.is("Mul") || (use.input == 0 && only_moves(graph_, node))) {
          for (const ValueId output : node.outputs) push(output);
        }
      }
      for (const patterns::NormMatch* norm : index_.norms_reading(value)) push(norm->output);
    }
    return false;
  }

  const ViewIndex& index_;
  const Graph& graph_;
};

}  // namespace

std::vector<FeedForward> find_feed_forwards(const ViewIndex& index) {
  return Finder(index).run();
}

}  // namespace onnxpress
