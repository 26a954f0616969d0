// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "ir/graph.h"
#include "numerics/quantized_matrix.h"

// com.microsoft.GatherBlockQuantized: rows of a table of 4 or 8 bits, in blocks along the row. The
// last block of a row may be shorter.
namespace onnxpress {

// A table in the graph, for one lookup or several.
struct BlockTable {
  ValueId codes = kNoValue, scales = kNoValue, zeros = kNoValue;
  std::int64_t group = 0;
  int bits = 4;
  DType type = DType::float32;  // of the scales, and so of the rows that are looked up
};

// The block that the operator is told for rows of that width: the group, or for a whole row (group
// 0) the next power of two from 16 on.
[[nodiscard]] std::int64_t table_block(const Grid& grid, std::int64_t width);

// Why a table of that grid and width can't be stored so, or nothing if it can.
[[nodiscard]] std::optional<std::string> why_not_block_table(const Grid& grid, std::int64_t width);

// Bytes of its codes, scales and zero points.
[[nodiscard]] std::int64_t block_table_bytes(const Grid& grid, std::int64_t width,
                                             std::int64_t rows, DType scales = DType::float32);

// `q` has one output for each row. why_not_block_table() must have nothing against its grid. Scales
// are stored as float32 or float16; those of `q` must be such that this rounds nothing.
[[nodiscard]] BlockTable pack_block_table(Graph& graph, const QuantizedMatrix& q,
                                          std::string_view hint, DType scales = DType::float32);

// output = the rows of the table that `indices` names, in the type of the scales.
void gather_rows(Graph& graph, const BlockTable& table, ValueId indices, ValueId output,
                 std::string_view hint);

// The table of such a node, stored [out, in]; nothing if it is none that pack_block_table makes. A
// group that spans the row comes back as it is stored, as a power of two.
[[nodiscard]] std::optional<QuantizedMatrix> unpack_block_table(const Graph& graph, NodeId id);

}  // namespace onnxpress
