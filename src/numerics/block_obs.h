// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "numerics/gram.h"
#include "numerics/matrix.h"

namespace onnxpress {

// Optimal brain surgeon for units of a product Y = X·W: a unit is a block of rows of W (a head of
// an output projection, a neuron of `down`). Removing units S and changing all other rows as is
// best for the output,
//   W ← W - H⁻¹_:S (H⁻¹_SS)⁻¹ W_S,
// raises ‖XW - XW'‖² by exactly tr(W_Sᵀ (H⁻¹_SS)⁻¹ W_S) (Hassibi and Stork 1993; ZipLM, Kurtic et
// al. 2023), where H = XᵀX + λ: all that is needed to know of the data.
//
//   BlockObs obs(gram, w, 32, {}, pool);
//   while (…) obs.remove(weakest of obs.costs(pool), pool);
class BlockObs {
 public:
  struct Options {
    double damping = 1e-3;  // λ as a share of the mean of XᵀX's diagonal
    bool centred = false;   // means are left to a bias: see bias_change
  };
  // w [in, out], in = gram.size; the rows of unit u are [u · rows_per_unit, (u + 1) ·
  // rows_per_unit).
  BlockObs(const Gram& gram, Matrix w, std::int64_t rows_per_unit, Options options,
           ThreadPool& pool);

  // False where H can't be factored: nothing else may be called.
  [[nodiscard]] bool usable() const { return usable_; }
  [[nodiscard]] std::int64_t units() const { return w_.rows / rows_per_unit_; }
  [[nodiscard]] bool is_removed(std::int64_t unit) const {
    return removed_[static_cast<std::size_t>(unit)];
  }
  // For each unit what removing it next would add to ‖XW - XW'‖² (plus what λ adds); 0 for those
  // that are gone.
  [[nodiscard]] std::vector<double> costs(ThreadPool& pool) const;
  // The same for these units together.
  [[nodiscard]] double cost(std::span<const std::int64_t> units, ThreadPool& pool) const;
  // The weights without these units too, the others changed to make up for them.
  [[nodiscard]] Matrix without(std::span<const std::int64_t> units, ThreadPool& pool) const;
  // Removes them for good.
  void remove(std::span<const std::int64_t> units, ThreadPool& pool);
  // As they are now: rows of removed units are zero.
  [[nodiscard]] const Matrix& weights() const { return w_; }
  // What the bias must grow by for weights `w` to leave the mean of the output as it was, [out].
  [[nodiscard]] std::vector<float> bias_change(const Matrix& w) const;

 private:
  // (H⁻¹_SS)⁻¹·[H⁻¹_S:, W_S], the former only if asked for.
  struct Solved {
    Matrix spread;  // H⁻¹_:S, [in, rows of S]
    std::vector<double> inverse_rows, weight_rows;
  };
  [[nodiscard]] Solved solve(std::span<const std::int64_t> rows, bool inverse_too,
                             ThreadPool& pool) const;
  [[nodiscard]] std::vector<std::int64_t> rows_of(std::span<const std::int64_t> units) const;
  [[nodiscard]] Matrix changed(const Solved& solved, std::span<const std::int64_t> rows,
                               ThreadPool& pool) const;

  bool usable_ = false;
  Matrix first_, w_;
  std::int64_t rows_per_unit_;
  std::vector<double> inverse_;  // H⁻¹, [in, in]
  std::vector<double> mean_;     // of X's rows, [in]
  std::vector<bool> removed_;
};

}  // namespace onnxpress
