// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "calib/exact_sums.h"
#include "numerics/gram.h"

namespace onnxpress {

// A Gram matrix whose parts, made on different machines, add up to the very bits of the whole.
// Once nothing is to be added any more it may be rounded to floats, a quarter of the size.
struct GramSums {
  std::int64_t size = 0;
  std::int64_t rows = 0;
  ExactSums sum;                  // of the rows, [size]
  ExactSums xx;                   // Xᵀ·X, upper triangle row by row; empty once rounded
  std::vector<float> rounded_xx;  // the same as floats; empty until rounded

  GramSums() = default;
  explicit GramSums(std::int64_t channels);

  // Adds the rows x, [rows, size]. `scratch` is a Gram of any content; it is kept to save its
  // allocation. The result depends on how the rows are cut into calls, not on their order.
  void add(const float* x, std::int64_t count, Gram& scratch, ThreadPool& pool);
  // Throws Error (bad_data) on overflow, (internal_error) if one of them is rounded.
  GramSums& operator+=(const GramSums& other);
  void round();
  [[nodiscard]] bool is_rounded() const { return !rounded_xx.empty(); }
  // What solvers take.
  [[nodiscard]] Gram gram() const;
  friend bool operator==(const GramSums&, const GramSums&) = default;
};

}  // namespace onnxpress
