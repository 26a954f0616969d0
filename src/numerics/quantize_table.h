// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "numerics/quantized_matrix.h"

// Embedding tables: matrices of which only some rows are looked up. A row is an output, with groups
// along it.
namespace onnxpress {

struct TableOptions {
  Grid grid;
  int clip_steps = 0;         // ranges that are tried for each group; 0: the full one only
  bool half_scales = false;   // scales that a float16 holds
  bool ignores_mean = false;  // who reads a row does not see a constant that is added to all of it
};

// Rounds each row [in] of a table stored [out, in]; Σ (w - q)² of a row is at most that of
// quantize_rtn() where scales are of float32. With `ignores_mean`, and if means are more than a
// trifle of the table, each row is rounded with and without its mean, and the better one is kept;
// errors count without their mean.
// Throws Error: bad_option (grid), tensor_malformed (an element is NaN or infinite).
[[nodiscard]] QuantizedMatrix quantize_table(const WeightRef& table, const TableOptions& options,
                                             ThreadPool& pool);

// Whether scales of float16 do as well, for a table stored [out, in]: no row comes near the largest
// half, and each scale of a row is a normal half (for groups: the smallest normal half is small
// beside the table's steps).
[[nodiscard]] bool suits_half_scales(const WeightRef& table, const Grid& grid);

}  // namespace onnxpress
