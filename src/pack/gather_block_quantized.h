// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "ir/graph.h"
#include "numerics/quantized_matrix.h"

// com.microsoft.GatherBlockQuantized: rows of a table of 4 or 8 bits, in blocks along the row.
namespace onnxpress {

// A table in the graph, for one lookup or several.
struct BlockTable {
  ValueId codes = kNoValue, scales = kNoValue, zeros = kNoValue;
  std::int64_t group = 0;
  int bits = 4;
};

// `q` has one output for each row. The grid must be one that why_not_storable() has nothing
// against.
[[nodiscard]] BlockTable pack_block_table(Graph& graph, const QuantizedMatrix& q,
                                          std::string_view hint);

// output = the rows of the table that `indices` names.
void gather_rows(Graph& graph, const BlockTable& table, ValueId indices, ValueId output,
                 std::string_view hint);

// The table of such a node, stored [out, in]; nothing if it is none that pack_block_table makes.
[[nodiscard]] std::optional<QuantizedMatrix> unpack_block_table(const Graph& graph, NodeId id);

}  // namespace onnxpress
