// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ir/tensor.h"
#include "model/symbolic_shapes.h"

namespace onnxpress {

// Axes with more places are not followed: sizes that a file claims are no reason to allocate.
inline constexpr std::int64_t kMostPlaces = std::int64_t{1} << 24;

// Places along one axis of a value that are to go.
//
//   the second of four heads in [batch, seq, 4, 12]: {axis 2, {0, 1, 0, 0}}
//   the same in [batch, seq, 48]:                    {axis 2, {0 × 12, 1 × 12, 0 × 24}}
struct AxisCut {
  std::size_t axis = 0;
  std::vector<bool> removed;  // one for each place of the axis

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(removed.size()); }
  [[nodiscard]] std::vector<std::int64_t> kept() const;  // ascending
  [[nodiscard]] std::int64_t kept_count() const;
  [[nodiscard]] bool any() const;
  friend bool operator==(const AxisCut&, const AxisCut&) = default;
};

// The cut of the same elements in another shape; nothing where what goes is no whole part of one
// axis there (a head out of a group of heads that share their key), or where sizes that matter are
// not known.
[[nodiscard]] std::optional<AxisCut> reshaped(const AxisCut& cut, const SymbolicShape& from,
                                              const SymbolicShape& to);

// Places [begin, begin + count) of the cut's axis.
[[nodiscard]] AxisCut part(const AxisCut& cut, std::int64_t begin, std::int64_t count);
// The cut as places [begin, …) of an axis of `size` places, at most kMostPlaces, of which no others
// go.
[[nodiscard]] AxisCut embedded(const AxisCut& cut, std::int64_t begin, std::int64_t size);

// The tensor without the places that go. Nothing for types whose elements are no whole bytes.
// `prefix_only`: the right size, but bytes from the beginning of the tensor, without a copy: for
// plans, which want to know no more than sizes.
[[nodiscard]] std::optional<Tensor> sliced(const Tensor& tensor, const AxisCut& cut,
                                           bool prefix_only);

}  // namespace onnxpress
