// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/thread_pool.h"
#include "numerics/quantized_matrix.h"

namespace onnxpress {

// Rounds every weight to the nearest point of the grid (ties to even). The scale of a group is the
// smallest that reaches its largest magnitude (symmetric) or its range with 0 in it (asymmetric),
// so no error is larger than half a scale (a whole one at the shorter end of a full-range grid).
// All of a matrix is one group where the grid is per tensor. A group of zeros gets the scale 1; a
// scale is never below the smallest normal float, and what codes stand for is always finite
// (asymmetric ranges above the largest float are cut for it). Reads the weights where they lie, in
// blocks; the result does not depend on the pool's size.
//
// Throws Error: bad_option (grid, or one with float_zeros), tensor_malformed (a weight is NaN or
// infinite; names its place), tensor_size (in × out overflows).
[[nodiscard]] QuantizedMatrix quantize_rtn(const WeightRef& w, const Grid& grid, ThreadPool& pool);

// The place (row × columns + column) of the first weight that is NaN or infinite.
[[nodiscard]] std::optional<std::int64_t> find_non_finite(const WeightRef& w, ThreadPool& pool);

}  // namespace onnxpress
