// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "calib/observers/histogram.h"

namespace onnxpress {

// What 8-bit (or other) codes are spread over; elements outside are clipped.
struct Range {
  float low = 0;
  float high = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

// How codes lie on a range.
struct CodeGrid {
  int bits = 8;
  bool symmetric = false;  // -(2^(bits-1) - 1) … 2^(bits-1) - 1 around 0, else 0 … 2^bits - 1
};

// All of these take the smallest and largest element beside the histogram and return a range within
// them (widened to hold 0, and to both sides alike for a symmetric grid). An empty histogram gives
// [0, 0].

// Leaves out a share of 1 - `share` of the elements: the largest magnitudes for a symmetric grid,
// otherwise half of it at either end. Within a bin elements are taken as evenly spread.
[[nodiscard]] Range percentile_range(const Histogram& histogram, Range all, double share,
                                     bool symmetric);

// The clipping of magnitudes whose rounded distribution is nearest to the true one by the
// Kullback-Leibler divergence (Migacz, "8-bit inference with TensorRT", 2017).
[[nodiscard]] Range entropy_range(const Histogram& histogram, Range all, const CodeGrid& grid);

// The range with the least mean squared error of rounding and clipping. `error` (may be nullptr)
// gets that error.
[[nodiscard]] Range least_squares_range(const Histogram& histogram, Range all, const CodeGrid& grid,
                                        double* error = nullptr);

}  // namespace onnxpress
