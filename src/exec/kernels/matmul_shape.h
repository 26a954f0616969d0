// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/tensor_view.h"

namespace onnxpress::exec {

// The shapes of a (batched) matrix product as NumPy's matmul defines them.
//   [8, 12, 128, 32] · [32, 64]: batches of [8, 12], m = 128, k = 32, n = 64, b repeats
struct MatMulShape {
  Extents out;    // the output's sizes
  Extents batch;  // its leading part
  std::int64_t m = 1, k = 1, n = 1;
  Extents a_batch, b_batch;  // the operands' leading parts
  // For batch number i: the numbers of the operands' matrices.
  [[nodiscard]] std::int64_t a_index(std::int64_t i) const { return index(a_batch, i); }
  [[nodiscard]] std::int64_t b_index(std::int64_t i) const { return index(b_batch, i); }
  [[nodiscard]] std::int64_t batches() const { return product(batch); }

 private:
  [[nodiscard]] std::int64_t index(const Extents& own, std::int64_t i) const;
};

// Throws Error (shape_mismatch).
[[nodiscard]] MatMulShape matmul_shape(const Extents& a, const Extents& b);

}  // namespace onnxpress::exec
