// SPDX-License-Identifier: Apache-2.0
#include "numerics/matrix.h"

#include <algorithm>
#include <utility>

#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

template <class T>
std::vector<T> turned(const std::vector<T>& values, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kTile = 32;
  std::vector<T> result(values.size());
  for (std::int64_t row = 0; row < rows; row += kTile) {
    for (std::int64_t column = 0; column < columns; column += kTile) {
      for (std::int64_t j = column; j < std::min(columns, column + kTile); ++j) {
        for (std::int64_t i = row; i < std::min(rows, row + kTile); ++i) {
          result[static_cast<std::size_t>(j * rows + i)] =
              values[static_cast<std::size_t>(i * columns + j)];
        }
      }
    }
  }
  return result;
}

}  // namespace

Matrix transposed(const Matrix& m) {
  Matrix result;
  result.rows = m.columns;
  result.columns = m.rows;
  result.values = turned(m.values, m.rows, m.columns);
  return result;
}

Matrix to_matrix(const WeightRef& w) {
  Matrix m(w.rows(), w.columns());
  read_weights(w, 0, m.values);
  return w.layout == MatrixLayout::in_out ? m : transposed(m);
}

Matrix dequantized_matrix(const QuantizedMatrix& q) {
  Matrix m;
  m.rows = q.rows();
  m.columns = q.columns();
  m.values = dequantize(q);
  return q.layout == MatrixLayout::in_out ? m : transposed(m);
}

WeightRef weight_ref(const Matrix& w) {
  return weight_ref(w.values, w.rows, w.columns);
}

QuantizedMatrix with_layout(QuantizedMatrix q, MatrixLayout layout) {
  if (q.layout == layout) return q;
  const bool to_rows = layout == MatrixLayout::out_in;
  const std::int64_t groups = q.grid.groups(q.in);
  q.codes = turned(q.codes, to_rows ? q.in : q.out, to_rows ? q.out : q.in);
  q.scales = turned(q.scales, to_rows ? groups : q.out, to_rows ? q.out : groups);
  if (!q.zero_points.empty()) {
    q.zero_points = turned(q.zero_points, to_rows ? groups : q.out, to_rows ? q.out : groups);
  }
  if (!q.float_zeros.empty()) {
    q.float_zeros = turned(q.float_zeros, to_rows ? groups : q.out, to_rows ? q.out : groups);
  }
  q.layout = layout;
  return q;
}

Matrix product(const Matrix& a, const Matrix& b, ThreadPool& pool) {
  Matrix c(a.rows, b.columns);
  constexpr std::int64_t kRows = 64;
  const dense::Level& level = dense::level();
  pool.parallel_for(a.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    level.multiply(a.row(begin), b.values.data(), c.row(begin), end - begin, a.columns, b.columns);
  });
  return c;
}

}  // namespace onnxpress
