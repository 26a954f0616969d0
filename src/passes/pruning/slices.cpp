// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/slices.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace onnxpress {

std::optional<SliceRange> slice_along(const SymbolicShapes& shapes, const Node& node,
                                      std::size_t axis) {
  const SymbolicShape* in = shapes.shape(node.input(0));
  if (in == nullptr || axis >= in->size() || node.inputs.size() < 3) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(in->size());
  std::vector<std::int64_t> axes;
  if (node.input(3) != kNoValue) {
    const auto given = shapes.integers(node.input(3));
    if (!given) return std::nullopt;
    axes = *given;
  } else {
    const std::int64_t entries = shapes.size(node.input(1), 0);
    if (entries < 0 || entries > rank) return std::nullopt;
    axes.resize(static_cast<std::size_t>(entries));
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t at = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (at != static_cast<std::int64_t>(axis)) continue;
    const auto starts = shapes.integers(node.input(1));
    const auto ends = shapes.integers(node.input(2));
    const auto steps = shapes.integers(node.input(4));
    const SymbolicDim& size = (*in)[axis];
    if (!starts || !ends || !size.known() || i >= starts->size() || i >= ends->size()) {
      return std::nullopt;
    }
    if (node.input(4) != kNoValue && (!steps || i >= steps->size() || (*steps)[i] != 1)) {
      return std::nullopt;
    }
    const auto place = [&](std::int64_t where) {
      return std::clamp<std::int64_t>(where < 0 ? where + size.size : where, 0, size.size);
    };
    const std::int64_t begin = place((*starts)[i]);
    return SliceRange{true, i, begin, std::max<std::int64_t>(place((*ends)[i]) - begin, 0)};
  }
  return SliceRange{};
}

}  // namespace onnxpress
