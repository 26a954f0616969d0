// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>

#include "exec/tensor_view.h"

namespace onnxpress::exec {

// The common shape of operands that broadcast as in NumPy. Throws Error (shape_mismatch).
[[nodiscard]] Extents broadcast_shape(const Extents& a, const Extents& b);

// How up to three operands are read while an output of shape `out` is written from its first
// element to its last. Neighbouring dimensions that all operands walk alike are joined, so equal
// shapes, a scalar, or a vector along the last dimension end in long inner loops:
//   [8, 128, 384] + [384]   walks [1024, 384] with strides {384, 1} and {0, 1}
class Broadcast {
 public:
  static constexpr std::size_t kOperands = 3;
  using Offsets = std::array<std::int64_t, kOperands>;

  // Throws Error (shape_mismatch) if an operand does not broadcast to `out`.
  Broadcast(const Extents& out, std::initializer_list<const Extents*> operands);

  [[nodiscard]] std::int64_t size() const { return size_; }
  // 1, or 0 where the operand has one element for the whole inner loop.
  [[nodiscard]] std::int64_t inner_stride(std::size_t operand) const {
    return strides_[operand].back();
  }

  // Calls body(out offset, operands' offsets, count) for the inner loops that make up the outputs
  // [begin, end), in order.
  template <class Body>
  void visit(std::int64_t begin, std::int64_t end, const Body& body) const {
    const std::int64_t inner = sizes_.back();
    if (inner == 0) return;
    while (begin < end) {
      const std::int64_t row = begin / inner, column = begin % inner;
      const std::int64_t count = std::min(end - begin, inner - column);
      body(begin, offsets(row, column), count);
      begin += count;
    }
  }

 private:
  [[nodiscard]] Offsets offsets(std::int64_t row, std::int64_t column) const {
    Offsets offsets{};
    for (std::size_t k = 0; k < operands_; ++k) offsets[k] = column * strides_[k].back();
    for (std::size_t d = sizes_.size() - 1; d-- > 0;) {
      const std::int64_t at = row % sizes_[d];
      row /= sizes_[d];
      for (std::size_t k = 0; k < operands_; ++k) offsets[k] += at * strides_[k][d];
    }
    return offsets;
  }

  std::size_t operands_ = 0;
  std::int64_t size_ = 0;
  Extents sizes_;                           // at least one dimension
  std::array<Extents, kOperands> strides_;  // 0 where an operand repeats
};

}  // namespace onnxpress::exec
