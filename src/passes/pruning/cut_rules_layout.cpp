// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <optional>

#include "passes/pruning/cut_rules.h"
#include "passes/pruning/slices.h"

namespace onnxpress::cut_rules {
namespace {

constexpr Slot kIn{false, 0};
constexpr Slot kOut{true, 0};

std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank) {
  if (axis < 0) axis += static_cast<std::int64_t>(rank);
  if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
  return static_cast<std::size_t>(axis);
}

CutRule one(Slot slot, AxisCut cut) {
  CutRule rule;
  if (cut.any()) rule.others.push_back({slot, std::move(cut)});
  return rule;
}

// The cut of a part that begins at `begin` of a whole with `size` places.
CutRule whole(const Node& node, Slot slot, const AxisCut& cut, std::int64_t begin,
              std::int64_t size) {
  if (size > kMostPlaces || begin < 0 || begin + cut.size() > size) {
    return refuse(node, "has parts that do not fit the whole");
  }
  return one(slot, embedded(cut, begin, size));
}

}  // namespace

CutRule reshape(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const SymbolicShape* in = context.shape(node, kIn);
  const SymbolicShape* out = context.shape(node, kOut);
  if (in == nullptr || out == nullptr || from.index > 0) {
    return refuse(node, "has a shape that is not known");
  }
  const auto other = from.output ? reshaped(cut, *out, *in) : reshaped(cut, *in, *out);
  if (!other) {
    return refuse(node, "arranges what would go so that it is no whole part of an axis");
  }
  return one(from.output ? kIn : kOut, *other);
}

CutRule transpose(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const SymbolicShape* in = context.shape(node, kIn);
  if (in == nullptr) return refuse(node, "has an operand whose shape is not known");
  const std::vector<std::int64_t> perm = node.attributes.get_ints("perm");
  if (!perm.empty() && perm.size() != in->size()) return refuse(node, "has a wrong permutation");
  for (std::size_t i = 0; i < in->size(); ++i) {  // output axis i is input axis `source`
    const std::size_t source =
        perm.empty() ? in->size() - 1 - i : static_cast<std::size_t>(perm[i]);
    if (from.output ? i == cut.axis : source == cut.axis) {
      return one(from.output ? kIn : kOut, {from.output ? source : i, cut.removed});
    }
  }
  return refuse(node, "has a wrong permutation");
}

CutRule split(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const SymbolicShape* in = context.shape(node, kIn);
  if (in == nullptr || (!from.output && from.index > 0)) {
    return refuse(node, "has an operand whose shape is not known");
  }
  const auto axis = axis_of(node.attributes.get_int("axis", 0), in->size());
  if (!axis) return refuse(node, "splits an axis that is not there");
  CutRule rule;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const Slot slot{true, i};
    if (*axis != cut.axis) {
      if (slot != from && node.outputs[i] != kNoValue) rule.others.push_back({slot, cut});
      continue;
    }
    const SymbolicShape* out = context.shape(node, slot);
    if (out == nullptr || *axis >= out->size() || !(*out)[*axis].known() || !(*in)[*axis].known()) {
      return refuse(node, "has parts whose sizes are not known");
    }
    const std::int64_t count = (*out)[*axis].size;
    if (begin + count > (*in)[*axis].size) return refuse(node, "has parts larger than the whole");
    if (from.output && from.index == i) return whole(node, kIn, cut, begin, (*in)[*axis].size);
    if (!from.output) {
      AxisCut piece = part(cut, begin, count);
      if (piece.any()) rule.others.push_back({slot, std::move(piece)});
    }
    begin += count;
  }
  if (*axis != cut.axis && from.output) rule.others.push_back({kIn, cut});
  return rule;
}

CutRule slice(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const SymbolicShape* in = context.shape(node, kIn);
  if (in == nullptr || (!from.output && from.index > 0)) {
    return refuse(node, "has an operand whose shape is not known");
  }
  const auto range = slice_along(context.shapes, node, cut.axis);
  if (!range) return refuse(node, "takes a part that is not known");
  if (!range->given) return one(from.output ? kIn : kOut, cut);
  if (range->count < 1) return refuse(node, "takes an empty part");
  if (from.output) return whole(node, kIn, cut, range->begin, (*in)[cut.axis].size);
  return one(kOut, part(cut, range->begin, range->count));
}

CutRule gather(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const SymbolicShape* in = context.shape(node, kIn);
  const SymbolicShape* indices = context.shape(node, {false, 1});
  if (in == nullptr || indices == nullptr || from.index > 0) {
    return refuse(node, "looks up what is not known");
  }
  const auto axis = axis_of(node.attributes.get_int("axis", 0), in->size());
  if (!axis) return refuse(node, "looks up along an axis that is not there");
  if (!from.output) {
    if (cut.axis == *axis) return refuse(node, "looks up what would go");
    return one(kOut, {cut.axis < *axis ? cut.axis : cut.axis + indices->size() - 1, cut.removed});
  }
  if (cut.axis < *axis) return one(kIn, cut);
  if (cut.axis < *axis + indices->size()) return refuse(node, "has indices that would go");
  return one(kIn, {cut.axis + 1 - indices->size(), cut.removed});
}

CutRule concat(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const SymbolicShape* out = context.shape(node, kOut);
  if (out == nullptr) return refuse(node, "has a shape that is not known");
  const auto axis = axis_of(node.attributes.get_int("axis", 0), out->size());
  if (!axis) return refuse(node, "joins along an axis that is not there");
  CutRule rule;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Slot slot{false, i};
    if (*axis != cut.axis) {
      if (slot != from) rule.others.push_back({slot, cut});
      continue;
    }
    const SymbolicShape* in = context.shape(node, slot);
    if (in == nullptr || *axis >= in->size() || !(*in)[*axis].known() || !(*out)[*axis].known()) {
      return refuse(node, "has parts whose sizes are not known");
    }
    const std::int64_t count = (*in)[*axis].size;
    if (begin + count > (*out)[*axis].size) return refuse(node, "has parts larger than the whole");
    if (!from.output && from.index == i) return whole(node, kOut, cut, begin, (*out)[*axis].size);
    if (from.output) {
      AxisCut piece = part(cut, begin, count);
      if (piece.any()) rule.others.push_back({slot, std::move(piece)});
    }
    begin += count;
  }
  if (*axis != cut.axis && !from.output) rule.others.push_back({kOut, cut});
  return rule;
}

}  // namespace onnxpress::cut_rules
