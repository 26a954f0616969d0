// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "numerics/gram.h"
#include "numerics/matrix.h"

namespace onnxpress {

// ‖X(W-Q)‖_F / ‖XW‖_F, from the Gram of X alone; 0 where X·W is zero and nothing differs.
[[nodiscard]] double output_error(const Matrix& w, const Matrix& q, const Gram& gram,
                                  ThreadPool& pool);

// How far a layer's output X̃·Q + b is from the original's X·W.
struct PairError {
  double relative = 0;      // ‖XW - X̃Q‖_F / ‖XW‖_F
  double unbiased = 0;      // the same with the mean error moved into the bias
  double with_change = 0;   // the same with `change` added to the bias
  std::vector<float> mean;  // of XW - X̃Q, [out]: what the bias must grow by
};
[[nodiscard]] PairError pair_error(const Matrix& w, const Matrix& q, const PairGram& moments,
                                   std::span<const float> change, ThreadPool& pool);

// 10 log10(Σ w² / Σ (w-q)²): infinite where nothing differs.
[[nodiscard]] double sqnr_db(const Matrix& w, const Matrix& q);

}  // namespace onnxpress
