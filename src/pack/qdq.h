// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "ir/graph.h"
#include "numerics/quantized_matrix.h"

namespace onnxpress {

// Adds the codes as an initializer "<hint>_q", scales "<hint>_scale", where needed zero points
// "<hint>_zero", and a DequantizeLinear; returns its output: the matrix in float32, in the layout
// of `q`. Grids of up to 4 bits become INT4/UINT4, others INT8/UINT8; a group becomes block_size.
// The caller has asked why_not_storable().
[[nodiscard]] ValueId pack_qdq(Graph& graph, QuantizedMatrix q, std::string_view hint);

// The matrix behind a DequantizeLinear as pack_qdq() writes it, bit for bit, or nothing if the node
// is something else. `layout` says which side of the stored matrix the outputs are on. The grid's
// bits are those of the stored type: 4 or 8.
[[nodiscard]] std::optional<QuantizedMatrix> unpack_qdq(const Graph& graph, NodeId node,
                                                        MatrixLayout layout);

}  // namespace onnxpress
