// SPDX-License-Identifier: Apache-2.0
#include "numerics/quantized_matrix.h"

#include <algorithm>
#include <type_traits>

namespace onnxpress {

void dequantize_row(const QuantizedMatrix& q, std::int64_t row, float* w) {
  const std::int64_t columns = q.columns();
  const std::uint8_t* codes = q.codes.data() + row * columns;
  const auto offset = static_cast<float>(q.grid.offset());
  // Columns [begin, end), whose scales follow each other or, with step 0, are one.
  const auto part = [&](std::int64_t begin, std::int64_t end, auto step) {
    const std::size_t first = q.scale_index(row, begin);
    const float* scales = q.scales.data() + first;
    const auto fill = [&](auto zero_at) {
      for (std::int64_t i = 0; i < end - begin; ++i) {
        w[begin + i] =
            (static_cast<float>(codes[begin + i]) - zero_at(i * step)) * scales[i * step];
      }
    };
    if (q.grid.float_zeros) {
      fill([zeros = q.float_zeros.data() + first](std::int64_t at) { return zeros[at]; });
    } else if (q.grid.symmetric) {
      fill([offset](std::int64_t) { return offset; });
    } else {
      fill([zeros = q.zero_points.data() + first](std::int64_t at) {
        return static_cast<float>(zeros[at]);
      });
    }
  };
  if (q.layout == MatrixLayout::in_out) {
    part(0, columns, std::integral_constant<std::int64_t, 1>());
    return;
  }
  const std::int64_t group = q.grid.group == 0 ? columns : q.grid.group;
  for (std::int64_t begin = 0; begin < columns; begin += group) {
    part(begin, std::min(columns, begin + group), std::integral_constant<std::int64_t, 0>());
  }
}

std::vector<float> dequantize(const QuantizedMatrix& q) {
  std::vector<float> w(q.codes.size());
  for (std::int64_t row = 0; row < q.rows(); ++row) {
    dequantize_row(q, row, w.data() + row * q.columns());
  }
  return w;
}

}  // namespace onnxpress
