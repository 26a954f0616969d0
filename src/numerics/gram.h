// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"

namespace onnxpress {

// Second moments of a layer's input X [rows, size], summed in double: all that closed-form solvers
// need to know of it.
struct Gram {
  std::int64_t size = 0;
  std::int64_t rows = 0;
  std::vector<double> xx;   // Xᵀ·X, [size, size], symmetric
  std::vector<double> sum;  // of the rows, [size]

  Gram() = default;
  explicit Gram(std::int64_t channels);
  // Number and sum of the rows, without their products.
  [[nodiscard]] Gram sums() const { return of_sums(size, rows, sum); }
  [[nodiscard]] static Gram of_sums(std::int64_t size, std::int64_t rows, std::vector<double> sum);
  Gram& operator+=(const Gram& other);
  [[nodiscard]] double at(std::int64_t i, std::int64_t j) const {
    return xx[static_cast<std::size_t>(i * size + j)];
  }
  friend bool operator==(const Gram&, const Gram&) = default;
};

// Moments between the input that a layer gets now, X̃, and the one it had in the original model, X.
struct CrossGram {
  std::int64_t size = 0;
  std::int64_t rows = 0;
  std::vector<double> xy;  // X̃ᵀ·X, [size, size]

  CrossGram() = default;
  explicit CrossGram(std::int64_t channels);
  CrossGram& operator+=(const CrossGram& other);
  friend bool operator==(const CrossGram&, const CrossGram&) = default;
};

// Adds `rows` rows of x, [rows, gram.size]. Products are summed in float over at most 512 rows,
// then in double. The result depends on how the rows are cut into calls, not on the pool.
void add_rows(Gram& gram, const float* x, std::int64_t rows, ThreadPool& pool);
// Only their number and sum; the Gram may be one without products.
void add_sums(Gram& gram, const float* x, std::int64_t rows);
void add_rows(CrossGram& cross, const float* edited, const float* original, std::int64_t rows,
              ThreadPool& pool);

// The moments of one and the same input in both models, which differ where something before it was
// compressed.
struct PairGram {
  Gram edited;    // X̃
  Gram original;  // X
  CrossGram cross;
  PairGram& operator+=(const PairGram& other);
};

}  // namespace onnxpress
