// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/thread_pool.h"
#include "numerics/matrix.h"
#include "numerics/quantized_matrix.h"

namespace onnxpress {

struct HqqOptions {
  // Of Σ|w-q|ᵖ, which is lowered: at most 1, where few large errors count little, or 2.
  double p = 2;
  int iterations = 20;  // at most
};

// Scales and zero points that suit the weights alone, found without data (half-quadratic
// quantization, Badri and Shaji 2023). Starts at quantize_rtn() and, in turn, rounds to the nearest
// codes, moves the part of the errors that the p-norm takes for outliers into E,
//
//   E = shrink(W - Q) = sign(e) max(|e| - |e|ᵖ⁻¹/β, 0), e in scales, β = 10, growing by 1 %,
//
// and fits both scale and zero point to W - E by least squares (the paper moves the zero point
// only). With p = 2 nothing is an outlier. The best of all rounds is kept, so Σ|w-q|ᵖ of no group
// is above that of quantize_rtn(). A grid with float_zeros keeps the zero points as they come out;
// otherwise they are rounded and the scale is fitted to the rounded one.
//
// The grid must be asymmetric. The result, stored [in, out], does not depend on the pool. Throws
// Error: bad_option (grid, p), tensor_malformed (a weight is NaN or infinite).
[[nodiscard]] QuantizedMatrix quantize_hqq(const Matrix& w, const Grid& grid,
                                           const HqqOptions& options, ThreadPool& pool);

}  // namespace onnxpress
