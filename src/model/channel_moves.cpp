// SPDX-License-Identifier: Apache-2.0
#include "model/channel_moves.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <vector>

#include "ir/patterns/constants.h"

namespace onnxpress {
namespace {

std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank) {
  if (axis < 0) axis += static_cast<std::int64_t>(rank);
  if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
  return static_cast<std::size_t>(axis);
}

// Constants may stand behind Casts; others are computed from shapes.
std::optional<std::vector<std::int64_t>> integers(const WalkContext& context, ValueId value) {
  if (auto known = context.shapes.integers(value)) return known;
  const Tensor* tensor = patterns::constant_behind(context.graph, value);
  if (tensor == nullptr || !is_integer(tensor->dtype())) return std::nullopt;
  return tensor->to_int64s();
}

// Along axes that tell no channels apart everything goes; along others only constant runs.
std::optional<ChannelMap> sliced(const WalkContext& context, const Node& node,
                                 const ChannelMap& map) {
  const auto shape = context.shape(node.outputs[0]);
  if (!shape || shape->size() != map.rank()) return std::nullopt;
  auto starts = node.attributes.get_ints("starts");
  auto ends = node.attributes.get_ints("ends");
  auto axes = node.attributes.get_ints("axes");
  std::vector<std::int64_t> steps;
  bool constant = true;
  if (node.inputs.size() > 1) {
    const auto read = [&](std::size_t i, std::vector<std::int64_t>& into) {
      if (node.input(i) == kNoValue) return;
      const auto numbers = integers(context, node.input(i));
      constant = constant && numbers;
      if (numbers) into = *numbers;
    };
    read(1, starts);
    read(2, ends);
    if (node.input(3) != kNoValue && !integers(context, node.input(3))) return std::nullopt;
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
    const std::int64_t size = context.shapes.size(node.inputs[0], static_cast<std::int64_t>(*axis));
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

std::optional<ChannelMap> gathered(const WalkContext& context, const Node& node,
                                   const ChannelMap& map) {
  const auto axis = axis_of(node.attributes.get_int("axis", 0), map.rank());
  const SymbolicShape* indices = context.shapes.shape(node.input(1));
  if (!axis || indices == nullptr) return std::nullopt;
  if (indices->size() == 1 && !map.tells_apart(*axis)) return map.resized(*axis, (*indices)[0]);
  if (!indices->empty()) return std::nullopt;
  if (!map.tells_apart(*axis)) return map.without(*axis);
  const auto index = integers(context, node.input(1));
  if (!index || index->size() != 1) return std::nullopt;
  const std::int64_t size = context.shapes.size(node.inputs[0], static_cast<std::int64_t>(*axis));
  const std::int64_t at = (*index)[0] < 0 ? (*index)[0] + size : (*index)[0];
  const auto one = size < 0 ? std::nullopt : map.sliced(*axis, at, 1);
  return one ? one->without(*axis) : std::nullopt;
}

std::optional<ChannelMap> split(const WalkContext& context, const Node& node, std::size_t output,
                                const ChannelMap& map) {
  const auto axis = axis_of(node.attributes.get_int("axis", 0), map.rank());
  if (!axis) return std::nullopt;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i <= output; ++i) {
    const auto shape = context.shape(node.outputs[i]);
    if (!shape || *axis >= shape->size()) return std::nullopt;
    const SymbolicDim& size = (*shape)[*axis];
    if (i < output && !map.tells_apart(*axis)) continue;
    if (!map.tells_apart(*axis)) return map.resized(*axis, size);
    if (!size.known()) return std::nullopt;
    if (i == output) return map.sliced(*axis, begin, size.size);
    begin += size.size;
  }
  return std::nullopt;
}

bool reshapes(const Node& node) {
  return node.is("Reshape") || node.is("Flatten") || node.is("Unsqueeze") || node.is("Squeeze");
}

}  // namespace

bool moves_channels(const Node& node) {
  constexpr std::array<std::string_view, 7> kMoves = {"Identity", "Cast",   "Transpose", "Expand",
                                                      "Slice",    "Gather", "Split"};
  if (reshapes(node)) return true;
  if (node.is("Dropout")) return node.input(2) == kNoValue;  // not while training
  return std::any_of(kMoves.begin(), kMoves.end(), [&](auto type) { return node.is(type); });
}

std::optional<ChannelMap> moved_channels(const WalkContext& context, const Node& node,
                                         std::size_t output, const ChannelMap& map) {
  if (node.is("Identity") || node.is("Dropout")) return map;
  if (node.is("Cast")) {
    const bool same = node.attributes.get_int("to", 0) == static_cast<std::int64_t>(DType::float32);
    return same ? std::optional(map) : std::nullopt;
  }
  if (node.is("Transpose")) return map.transposed(node.attributes.get_ints("perm"));
  if (node.is("Slice")) return sliced(context, node, map);
  if (node.is("Gather")) return gathered(context, node, map);
  if (node.is("Split")) return split(context, node, output, map);
  const auto shape = context.shape(node.outputs[0]);
  if (!shape) return std::nullopt;
  if (reshapes(node)) return map.reshaped(*shape);
  const auto own = context.shape(node.inputs[0]);
  return own ? map.broadcast(*own, *shape) : std::nullopt;
}

}  // namespace onnxpress
