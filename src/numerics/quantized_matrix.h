// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "numerics/grid.h"
#include "numerics/weight_ref.h"

namespace onnxpress {

// A quantized weight: what every quantizer returns and what packers take. What was solved is what
// is written, bit for bit.
//
//   w[i, o] ≈ (code - zero) × scale,  zero = grid.offset() where the grid is symmetric
//
// and otherwise one of zero_points or, where grid.float_zeros, of float_zeros.
struct QuantizedMatrix {
  Grid grid;
  std::int64_t in = 0;
  std::int64_t out = 0;
  MatrixLayout layout = MatrixLayout::in_out;
  // One byte each, in the layout of the matrix, without sign: 0 … 2^bits - 1.
  std::vector<std::uint8_t> codes;
  // One for each output and group, laid out as the codes are with groups(in) in the place of in:
  // [groups, out] or [out, groups].
  std::vector<float> scales;
  // As the scales; empty where the grid has none of that kind.
  std::vector<std::uint8_t> zero_points;
  std::vector<float> float_zeros{};

  [[nodiscard]] std::int64_t rows() const { return layout == MatrixLayout::in_out ? in : out; }
  [[nodiscard]] std::int64_t columns() const { return layout == MatrixLayout::in_out ? out : in; }
  // Where the scale of element (row, column), as stored, lies.
  [[nodiscard]] std::size_t scale_index(std::int64_t row, std::int64_t column) const {
    const std::int64_t group =
        grid.group == 0 ? 0 : (layout == MatrixLayout::in_out ? row : column) / grid.group;
    return static_cast<std::size_t>(layout == MatrixLayout::in_out ? group * out + column
                                                                   : row * grid.groups(in) + group);
  }
  friend bool operator==(const QuantizedMatrix&, const QuantizedMatrix&) = default;
};

// The weights that the codes stand for, in the layout of the matrix: one row of it, or all.
void dequantize_row(const QuantizedMatrix& q, std::int64_t row, float* w);
[[nodiscard]] std::vector<float> dequantize(const QuantizedMatrix& q);

}  // namespace onnxpress
