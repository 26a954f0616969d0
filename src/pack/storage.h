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
  qdq,           // codes → DequantizeLinear → MatMul: weights small on disk, float products
  integer,       // DynamicQuantizeLinear → MatMulInteger → Cast → Mul: integer products
  matmul_nbits,  // com.microsoft.MatMulNBits: one operator, which unpacks as it multiplies
  gather_block_quantized,  // com.microsoft.GatherBlockQuantized: a table in blocks along its rows
};
[[nodiscard]] std::string_view name(Storage storage);
[[nodiscard]] std::span<const Storage> all_storages();

// The oldest opset that has the operators of the storage for that grid.
[[nodiscard]] std::int64_t needed_opset(Storage storage, const Grid& grid);
// Why weights of that grid can't be stored so in a model of that opset, or nothing if they can.
[[nodiscard]] std::optional<std::string> why_not_storable(Storage storage, const Grid& grid,
                                                          std::int64_t opset);
// The storage of that name.
[[nodiscard]] std::optional<Storage> parse_storage(std::string_view text);

// Bytes of all tensors that the storage makes of a matrix: codes, scales and zero points.
[[nodiscard]] std::int64_t stored_bytes(Storage storage, const Grid& grid, std::int64_t in,
                                        std::int64_t out);

}  // namespace onnxpress
