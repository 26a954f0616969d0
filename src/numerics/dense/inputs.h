// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "numerics/dense/algebra.h"
#include "numerics/weight_ref.h"

// Rounding of activations, and what it costs.
namespace onnxpress::dense {
namespace {

void round_inputs(const float* x, const float* scale, const float* zero, float step,
                  std::int64_t rows, std::int64_t k, float* rounded) {
  // Adding it to a float of magnitude below 2²² and taking it away rounds to an integer, ties to
  // even: what std::nearbyint() does, in a form that compilers vectorize.
  constexpr float kRounder = 12582912.0F;
  constexpr float kMostCode = 255;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < k; ++j) {
      const float c = std::min(std::max(x[i * k + j] / scale[j], -zero[j]), kMostCode - zero[j]);
      rounded[i * k + j] = ((c + kRounder) - kRounder) * step;
    }
  }
}

double squared_distance(const UnalignedFloat* a, const float* b, std::int64_t count) {
  constexpr int kLanes = 16;  // sums side by side, which compilers turn into vectors
  double sums[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto difference = static_cast<double>(a[i + lane] - b[i + lane]);
      sums[lane] += difference * difference;
    }
  }
  double sum = 0;
  for (; i < count; ++i) {
    const auto difference = static_cast<double>(a[i] - b[i]);
    sum += difference * difference;
  }
  for (const double lane : sums) sum += lane;
  return sum;
}

}  // namespace
}  // namespace onnxpress::dense
