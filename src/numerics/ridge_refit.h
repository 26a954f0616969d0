// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/thread_pool.h"
#include "numerics/gram.h"
#include "numerics/matrix.h"

namespace onnxpress {

// Weights that bring a layer whose input has drifted as close to the original's output as least
// squares can: W' = argmin ‖XW - X̃W'‖² + λ‖W - W'‖² (asymmetric calibration, GPTAQ, Li et al.
// 2025), found as W + (X̃ᵀX̃ + λ)⁻¹·X̃ᵀ(X - X̃)·W, which keeps its digits where the drift is small.
class RidgeRefit {
 public:
  // λ is `strength` times the mean of X̃ᵀX̃'s diagonal. `centred`: means are left to a bias. Factors
  // X̃ᵀX̃ once for all the weights that it meets.
  RidgeRefit(const PairGram& moments, double strength, bool centred, ThreadPool& pool);

  // W itself where the moments can't be factored or nothing finite comes out. w [in, out].
  [[nodiscard]] Matrix refit(const Matrix& w, ThreadPool& pool) const;

 private:
  bool usable_ = false;
  std::vector<double> factor_;  // lower triangle of X̃ᵀX̃ + λ, [in, in]
  std::vector<float> pull_;     // X̃ᵀ(X - X̃), [in, in]
};

}  // namespace onnxpress
