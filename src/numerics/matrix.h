// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "numerics/quantized_matrix.h"
#include "numerics/weight_ref.h"

namespace onnxpress {

// Floats, row by row. Solvers take weights as [in, out], whatever their layout in the model.
struct Matrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<float> values;

  Matrix() = default;
  Matrix(std::int64_t row_count, std::int64_t column_count)
      : rows(row_count),
        columns(column_count),
        values(static_cast<std::size_t>(row_count * column_count)) {}
  [[nodiscard]] float* row(std::int64_t i) { return values.data() + i * columns; }
  [[nodiscard]] const float* row(std::int64_t i) const { return values.data() + i * columns; }
  [[nodiscard]] float& operator()(std::int64_t i, std::int64_t j) { return row(i)[j]; }
  [[nodiscard]] float operator()(std::int64_t i, std::int64_t j) const { return row(i)[j]; }
  friend bool operator==(const Matrix&, const Matrix&) = default;
};

// The weights as [in, out].
[[nodiscard]] Matrix to_matrix(const WeightRef& w);
// What the codes stand for, as [in, out].
[[nodiscard]] Matrix dequantized_matrix(const QuantizedMatrix& q);
// A view of a matrix [in, out].
[[nodiscard]] WeightRef weight_ref(const Matrix& w);
// The same numbers, stored in another layout.
[[nodiscard]] QuantizedMatrix with_layout(QuantizedMatrix q, MatrixLayout layout);
[[nodiscard]] Matrix transposed(const Matrix& m);

// a · b
[[nodiscard]] Matrix product(const Matrix& a, const Matrix& b, ThreadPool& pool);

}  // namespace onnxpress
