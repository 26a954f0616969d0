// SPDX-License-Identifier: Apache-2.0
#include "numerics/quantized_matrix.h"

namespace onnxpress {

std::vector<float> dequantize(const QuantizedMatrix& q) {
  std::vector<float> w(q.codes.size());
  std::size_t i = 0;
  for (std::int64_t row = 0; row < q.rows(); ++row) {
    for (std::int64_t column = 0; column < q.columns(); ++column, ++i) {
      const std::size_t s = q.scale_index(row, column);
      if (q.grid.float_zeros) {
        w[i] = (static_cast<float>(q.codes[i]) - q.float_zeros[s]) * q.scales[s];
        continue;
      }
      const int zero = q.grid.symmetric ? q.grid.offset() : q.zero_points[s];
      w[i] = static_cast<float>(q.codes[i] - zero) * q.scales[s];
    }
  }
  return w;
}

}  // namespace onnxpress
