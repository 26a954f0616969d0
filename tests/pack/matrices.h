// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <random>
#include <vector>

#include "numerics/matrix.h"
#include "numerics/quantize_hqq.h"
#include "numerics/quantize_rtn.h"

namespace onnxpress::test {

// A quantized matrix of normal weights.
inline QuantizedMatrix random_matrix(const Grid& grid, std::int64_t in, std::int64_t out,
                                     MatrixLayout layout) {
  std::mt19937 random(static_cast<unsigned>(in * 1000 + out));
  std::normal_distribution<float> normal(0.05F, 0.5F);
  std::vector<float> w(static_cast<std::size_t>(in * out));
  for (float& x : w) x = normal(random);
  ThreadPool pool(1);
  if (!grid.float_zeros) return quantize_rtn(weight_ref(w, in, out, layout), grid, pool);
  const Matrix matrix = to_matrix(weight_ref(w, in, out, layout));
  return with_layout(quantize_hqq(matrix, grid, {}, pool), layout);
}

inline constexpr MatrixLayout kLayouts[] = {MatrixLayout::in_out, MatrixLayout::out_in};

}  // namespace onnxpress::test
