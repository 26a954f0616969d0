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
  double relative = 0;     // ‖XW - X̃Q‖_F / ‖XW‖_F
  double with_change = 0;  // the same with `change` added to the bias
  double rounding = 0;     // ‖X̃(W - Q)‖_F / ‖XW‖_F: without what the input's drift costs
};

// Judges weights that read one input, from its moments in both models. In single precision where
// only differences are summed (XW - X̃Q = (X - X̃)W + X̃(W - Q)), so small errors keep their digits.
//
//   const PairJudge judge(moments);
//   const PairJudge::Target target = judge.target(w, pool);
//   … judge.error(target, w, q, {}, pool).relative …
class PairJudge {
 public:
  explicit PairJudge(const PairGram& moments);

  // What does not depend on Q.
  struct Target {
    Matrix pull;                     // X̃ᵀ(X - X̃)·W, [in, out]
    double signal = 0;               // ‖XW‖²
    double drift = 0;                // ‖(X - X̃)W‖²
    std::vector<double> mean_drift;  // of (X - X̃)W, [out]
  };
  [[nodiscard]] Target target(const Matrix& w, ThreadPool& pool) const;
  [[nodiscard]] PairError error(const Target& target, const Matrix& w, const Matrix& q,
                                std::span<const float> change, ThreadPool& pool) const;

 private:
  std::vector<float> edited_, original_, pull_, drift_;  // [in, in]
  std::vector<double> sum_, sum_drift_;                  // of the rows of X̃ and X - X̃, [in]
  double rows_ = 1;
};

// The mean of XW - X̃Q, [out]: what the bias must grow by.
[[nodiscard]] std::vector<float> mean_error(const Matrix& w, const Matrix& q,
                                            const PairGram& moments);

// 10 log10(signal / noise): infinite without noise.
[[nodiscard]] double decibels(double signal, double noise);
// decibels(Σ w², Σ (w-q)²)
[[nodiscard]] double sqnr_db(const Matrix& w, const Matrix& q);
// The same of weights and their codes, in the same layout; row by row, without a copy of them.
[[nodiscard]] double sqnr_db(const WeightRef& w, const QuantizedMatrix& q, ThreadPool& pool);

}  // namespace onnxpress
