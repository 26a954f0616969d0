// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "numerics/matrix.h"
#include "numerics/weight_ref.h"

namespace onnxpress {

// How many times the RMS of the others a weight must have for its INT8 step to be so wide that
// nearly all of them become zero.
inline constexpr double kOutlierRatio = 1000;

// A weight far larger than all others of its output channel, e.g. one 1e30 among weights of 0.1: a
// scale that reaches it leaves no steps for the others.
struct WeightOutlier {
  std::int64_t output = 0;
  std::int64_t input = 0;
  float value = 0;
  double rms = 0;  // of the channel's other weights, more than 0
};

// The channels whose largest magnitude is more than `ratio` times the RMS of their other weights,
// in order of outputs. Weights must be finite.
[[nodiscard]] std::vector<WeightOutlier> find_outliers(const WeightRef& w, double ratio,
                                                       ThreadPool& pool);

// Cuts the weights of w [in, out] that are larger than `ratio` times the RMS of all smaller ones of
// their output channel; at most half a channel is cut.
void cut_outliers(Matrix& w, double ratio);

}  // namespace onnxpress
