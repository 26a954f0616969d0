// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "passes/pruning/cut_rules.h"

namespace onnxpress::cut_rules {
namespace {

enum Input : std::size_t { query, key, value, bias, padding, attention_bias, past_key, past_value };

// Whole heads out of `heads` side by side on one axis; nothing where it is not that.
std::optional<std::vector<bool>> heads_of(const AxisCut& cut, std::int64_t heads) {
  if (heads < 1 || cut.size() % heads != 0) return std::nullopt;
  const SymbolicShape flat = {known(cut.size())};
  const SymbolicShape apart = {known(heads), known(cut.size() / heads)};
  const auto found = reshaped({0, cut.removed}, flat, apart);
  if (!found || found->axis != 0) return std::nullopt;
  return found->removed;
}

std::vector<bool> side_by_side(const std::vector<bool>& heads, std::int64_t width) {
  const std::int64_t each = width / static_cast<std::int64_t>(heads.size());
  std::vector<bool> places;
  for (const bool head : heads) places.insert(places.end(), static_cast<std::size_t>(each), head);
  return places;
}

// Whether it reads or hands on keys and values of earlier tokens.
bool keeps_state(const Node& node, std::size_t first_input) {
  const auto given = [](ValueId value_id) { return value_id != kNoValue; };
  return std::any_of(node.inputs.begin() +
                         static_cast<std::ptrdiff_t>(std::min(first_input, node.inputs.size())),
                     node.inputs.end(), given) ||
         std::any_of(node.outputs.begin() + 1, node.outputs.end(), given);
}

// Adds what the bias of q, k and v loses, and a position bias that has a plane for each head.
CutRule with_biases(const CutContext& context, const Node& node, std::array<std::size_t, 2> inputs,
                    const AxisCut& bias_cut, const std::vector<bool>& heads, CutRule rule) {
  const auto [of_products, of_positions] = inputs;
  if (node.input(of_products) != kNoValue) {
    if (context.shapes.size(node.input(of_products), 0) != bias_cut.size()) {
      return refuse(node, "has a bias of another size");
    }
    rule.others.push_back({{false, of_products}, bias_cut});
  }
  if (node.input(of_positions) != kNoValue) {
    const std::int64_t planes = context.shapes.size(node.input(of_positions), 1);
    if (planes == static_cast<std::int64_t>(heads.size())) {
      rule.others.push_back({{false, of_positions}, {1, heads}});
    } else if (planes != 1) {
      return refuse(node, "has a position bias whose shape is not known");
    }
  }
  return rule;
}

}  // namespace

// ONNX Runtime's MultiHeadAttention: [batch, sequence, heads · size] in and out.
CutRule multi_head_attention(const CutContext& context, const Node& node, Slot from,
                             const AxisCut& cut) {
  if (keeps_state(node, past_key)) return refuse(node, "keeps earlier keys and values");
  if (!from.output && from.index > value) return refuse(node, "reads what would go as a parameter");
  const std::int64_t heads = node.attributes.get_int("num_heads", 0);
  const auto removed = cut.axis == 2 ? heads_of(cut, heads) : std::nullopt;
  if (!removed) return refuse(node, "would lose a part of a head");
  CutRule rule;
  AxisCut bias_cut;
  for (const Slot slot :
       {Slot{false, query}, Slot{false, key}, Slot{false, value}, Slot{true, 0}}) {
    const SymbolicShape* shape = context.shape(node, slot);
    const bool fits = shape != nullptr && shape->size() == 3 && (*shape)[2].known();
    const std::int64_t width = fits ? (*shape)[2].size : -1;
    if (width < heads || width % heads != 0) {
      return refuse(node, "has operands whose shapes are not known");
    }
    const AxisCut own{2, side_by_side(*removed, width)};
    if (!slot.output) {
      bias_cut.removed.insert(bias_cut.removed.end(), own.removed.begin(), own.removed.end());
    }
    if (slot != from) rule.others.push_back({slot, own});
  }
  return with_biases(context, node, {bias, attention_bias}, bias_cut, *removed, std::move(rule));
}

// ONNX Runtime's Attention, which holds the weights of q, k and v side by side: [in, 3 · heads ·
// size].
CutRule attention_with_weights(const CutContext& context, const Node& node, Slot from,
                               const AxisCut& cut) {
  constexpr std::size_t kWeights = 1;
  constexpr std::size_t kPast = 4;
  const bool past = node.input(kPast) != kNoValue || node.input(kPast + 2) != kNoValue;
  if (past || keeps_state(node, node.inputs.size())) {
    return refuse(node, "keeps earlier keys and values");
  }
  if (node.attributes.has("qkv_hidden_sizes") || node.attributes.get_int("do_rotary", 0) != 0) {
    return refuse(node, "has sizes of its own");
  }
  if (!from.output) return refuse(node, "reads what would go");
  const std::int64_t width = context.shapes.size(node.input(kWeights), 1);
  const auto removed =
      cut.axis == 2 ? heads_of(cut, node.attributes.get_int("num_heads", 0)) : std::nullopt;
  if (!removed || width != 3 * cut.size()) return refuse(node, "would lose a part of a head");
  AxisCut columns{1, {}};
  for (int i = 0; i < 3; ++i) {
    columns.removed.insert(columns.removed.end(), cut.removed.begin(), cut.removed.end());
  }
  CutRule rule;
  rule.others.push_back({{false, kWeights}, columns});
  return with_biases(context, node, {2, 5}, {0, columns.removed}, *removed, std::move(rule));
}

}  // namespace onnxpress::cut_rules
