// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "numerics/matrix.h"
#include "numerics/quantized_matrix.h"

namespace onnxpress {

// Rounds W [in, out] to the nearest points of grids whose ranges are searched by what they do to
// the output (AWQ's clip search, Lin et al. 2023): for each output and group the range, from the
// whole one down to half of it in `steps` steps, with the least energy of X_g(w - q), X_g the
// group's inputs. That is (w-q)ᵀH_g(w-q) with the group's block of the Gram, so all rows count and
// none needs to be kept. With 0 steps as quantize_rtn(); no group's energy is above its.
//
// gram: [in, in], symmetric. The result does not depend on the pool. Throws Error: bad_option
// (grid), bad_data (a weight is NaN or infinite).
[[nodiscard]] QuantizedMatrix quantize_clipped_on_output(const Matrix& w,
                                                         std::span<const float> gram,
                                                         const Grid& grid, int steps,
                                                         ThreadPool& pool);

}  // namespace onnxpress
