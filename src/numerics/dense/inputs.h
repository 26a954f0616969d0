// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "numerics/dense/algebra.h"

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

double squared_distance(const float* a, const float* b, std::int64_t count) {
  using Vector = Eigen::Map<const Eigen::ArrayXf>;
  return (Vector(a, count) - Vector(b, count)).cast<double>().square().sum();
}

}  // namespace
}  // namespace onnxpress::dense
