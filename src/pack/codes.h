// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/tensor.h"
#include "numerics/grid.h"

namespace onnxpress {

// Codes as a tensor: INT4 or UINT4 (two in a byte, the first in the low half) for grids of up to 4
// bits, INT8 or UINT8 for others. Takes the codes over; for 8 bits their memory becomes the tensor.
[[nodiscard]] Tensor codes_tensor(const Grid& grid, const Dims& dims,
                                  std::vector<std::uint8_t> codes);

struct StoredCodes {
  std::vector<std::uint8_t> codes;  // without sign, as in QuantizedMatrix
  int bits = 8;                     // of the stored type
  bool is_signed = true;
};
// The inverse; nothing for other types.
[[nodiscard]] std::optional<StoredCodes> stored_codes(const Tensor& tensor);

// Floats as float16, rounded to the nearest.
[[nodiscard]] Tensor in_halves(const Tensor& floats);

}  // namespace onnxpress
