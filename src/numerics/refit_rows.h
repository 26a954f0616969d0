// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "numerics/gram.h"
#include "numerics/matrix.h"

namespace onnxpress {

// What least squares need to know of a product that has lost inputs: the inputs that are left, X̃
// [rows, in], and what its output lacks, D = Y - (X̃W + b) [rows, out], where Y is what should come
// out. Sums in double; of any number of rows.
struct RefitMoments {
  Gram inputs;  // X̃
  std::int64_t out = 0;
  std::vector<double> pull;         // X̃ᵀD, [in, out]
  std::vector<double> lacking_sum;  // of D's rows, [out]
  double lacking = 0;               // ‖D‖²
  double signal = 0;                // ‖Y‖² or whatever errors are to be a share of

  RefitMoments() = default;
  RefitMoments(std::int64_t in, std::int64_t outputs);
  RefitMoments& operator+=(const RefitMoments& other);
};

// Adds rows of X̃ [rows, in] and D [rows, out].
void add_rows(RefitMoments& moments, const float* inputs, const float* lacking, std::int64_t rows,
              ThreadPool& pool);

// What is added to the weights [in, out] and to the bias.
struct RowsRefit {
  Matrix change;                   // empty where no refit helps
  std::vector<float> bias_change;  // empty unless centred
  double strength = 0;             // λ as a share of the mean of X̃ᵀX̃'s diagonal
  double error_before = 0;         // ‖D‖ / ‖Y‖ of held-out rows
  double error = 0;                // the same with the change, solved without these rows

  [[nodiscard]] bool helps() const { return !change.values.empty(); }
};

// argmin ‖D - X̃Δ - 1δᵀ‖² + λ‖Δ‖²: ridge least squares around the weights as they are. `centred`:
// with a bias δ. λ is chosen by the error on held-out rows; then all rows are solved on. Nothing is
// changed where no λ makes the held-out error smaller.
[[nodiscard]] RowsRefit refit_rows(const RefitMoments& train, const RefitMoments& held_out,
                                   bool centred, ThreadPool& pool);

}  // namespace onnxpress
