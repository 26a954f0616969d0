// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "numerics/quantized_matrix.h"

namespace onnxpress {

// How a quantized weight stands in the file.
enum class Storage {
  qdq,      // codes → DequantizeLinear → MatMul: weights small on disk, float products
  integer,  // DynamicQuantizeLinear → MatMulInteger → Cast → Mul: integer products
};
[[nodiscard]] std::string_view name(Storage storage);
[[nodiscard]] std::span<const Storage> all_storages();

// Why weights of that grid can't be stored so in a model of that opset, or nothing if they can.
[[nodiscard]] std::optional<std::string> why_not_storable(Storage storage, const Grid& grid,
                                                          std::int64_t opset);

// Bytes of all tensors that the storage makes of a matrix: codes, scales and zero points.
[[nodiscard]] std::int64_t stored_bytes(Storage storage, const Grid& grid, std::int64_t in,
                                        std::int64_t out);

}  // namespace onnxpress
