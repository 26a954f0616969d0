// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/symbolic_shapes.h"

namespace onnxpress {

// Which channel of a source each element of a tensor belongs to, followed through Reshape,
// Transpose, Slice and the like. Every axis is a product of factors, the outermost first; an
// element at the places i, j, … of all factors belongs to channel first + i·stride + j·stride' + …
//
//   [batch, seq, 48]      (48: stride 1)
//   → [batch, seq, 4, 12] (4: stride 12) (12: stride 1)
//   → [batch, 4, seq, 12] → [batch, seq, 48] → the same as at the beginning
class ChannelMap {
 public:
  struct Factor {
    SymbolicDim size;
    std::int64_t stride = 0;  // 0: all places belong to the same channels
    friend bool operator==(const Factor&, const Factor&) = default;
  };
  using Axis = std::vector<Factor>;

  // A tensor whose last axis of `channels` elements tells the channels apart.
  ChannelMap(const SymbolicShape& shape, std::int64_t channels);

  [[nodiscard]] std::size_t rank() const { return axes_.size(); }
  [[nodiscard]] const Axis& axis(std::size_t i) const { return axes_[i]; }
  // Whether places along the axis differ in their channels.
  [[nodiscard]] bool tells_apart(std::size_t axis) const;

  // What becomes of the map; nothing where it can't be followed.
  [[nodiscard]] std::optional<ChannelMap> reshaped(const SymbolicShape& shape) const;
  [[nodiscard]] std::optional<ChannelMap> transposed(std::span<const std::int64_t> perm) const;
  // Places [begin, begin + count) of an axis.
  [[nodiscard]] std::optional<ChannelMap> sliced(std::size_t axis, std::int64_t begin,
                                                 std::int64_t count) const;
  // Another number of places along an axis that tells no channels apart.
  [[nodiscard]] std::optional<ChannelMap> resized(std::size_t axis, SymbolicDim size) const;
  [[nodiscard]] std::optional<ChannelMap> without(std::size_t axis) const;
  // Spread from the shape `own` to a larger one, aligned at the last axis.
  [[nodiscard]] std::optional<ChannelMap> broadcast(const SymbolicShape& own,
                                                    const SymbolicShape& shape) const;

  // All channels that the elements belong to, in ascending order.
  [[nodiscard]] std::vector<std::int32_t> channels() const;
  // The channel of each place of the last axis; nothing where another axis tells them apart, or the
  // last is not of that width.
  [[nodiscard]] std::optional<std::vector<std::int32_t>> along_last(std::int64_t width) const;

 private:
  ChannelMap() = default;
  std::vector<Axis> axes_;
  std::int64_t first_ = 0;
};

}  // namespace onnxpress
