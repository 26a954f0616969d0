// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <optional>

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

}  // namespace

// ONNX Runtime's MultiHeadAttention over [batch, sequence, heads · size].
CutRule whole_attention(const CutContext& context, const Node& node, Slot from,
                        const AxisCut& cut) {
  const std::int64_t heads = node.attributes.get_int("num_heads", 0);
  for (std::size_t i = past_key; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != kNoValue) return refuse(node, "keeps earlier keys and values");
  }
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) return refuse(node, "hands on keys and values");
  }
  if (!from.output && from.index > value) return refuse(node, "reads what would go as a parameter");
  std::int64_t bias_size = 0;
  CutRule rule;
  const auto removed = cut.axis == 2 ? heads_of(cut, heads) : std::nullopt;
  if (!removed) return refuse(node, "would lose a part of a head");
  AxisCut bias_cut;
  for (const Slot slot : {Slot{false, query}, Slot{false, key}, Slot{false, value}, Slot{true, 0}}) {
    const SymbolicShape* shape = context.shape(node, slot);
    std::int64_t width = -1;
    if (shape != nullptr && shape->size() == 3 && (*shape)[2].known()) width = (*shape)[2].size;
    if (slot.output && shape == nullptr) {
      width = context.shapes.size(node.input(value), 2);  // as wide as the values
    }
    if (width < heads || width % heads != 0) {
      return refuse(node, "has operands whose shapes are not known");
    }
    const AxisCut own{2, side_by_side(*removed, width)};
    if (!slot.output) {
      bias_cut.removed.insert(bias_cut.removed.end(), own.removed.begin(), own.removed.end());
      bias_size += width;
    }
    if (slot != from) rule.others.push_back({slot, own});
  }
  if (node.input(bias) != kNoValue) {
    if (context.shapes.size(node.input(bias), 0) != bias_size) {
      return refuse(node, "has a bias of another size");
    }
    rule.others.push_back({{false, bias}, bias_cut});
  }
  if (node.input(attention_bias) != kNoValue) {
    const std::int64_t own = context.shapes.size(node.input(attention_bias), 1);
    if (own == heads) {
      rule.others.push_back({{false, attention_bias}, {1, *removed}});
    } else if (own != 1) {
      return refuse(node, "has a position bias whose shape is not known");
    }
  }
  return rule;
}

}  // namespace onnxpress::cut_rules
