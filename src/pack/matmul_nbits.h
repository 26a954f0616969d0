// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "ir/graph.h"
#include "numerics/quantized_matrix.h"
#include "pack/block_codes.h"

// com.microsoft.MatMulNBits: a product with a weight of 2, 4 or 8 bits in blocks along the input.
namespace onnxpress {

// A weight in the graph, for one product or several.
struct NBitsWeight {
  ValueId codes = kNoValue, scales = kNoValue, zeros = kNoValue;
  std::int64_t in = 0, out = 0, group = 0;
  int bits = 4;
};

// The grid must be one that why_not_storable() has nothing against.
[[nodiscard]] NBitsWeight pack_matmul_nbits(Graph& graph, const QuantizedMatrix& q,
                                            std::string_view hint);
// The same of the tensors that to_blocks() has made of `q`, whose codes are not looked at.
[[nodiscard]] NBitsWeight pack_matmul_nbits(Graph& graph, BlockTensors tensors,
                                            const QuantizedMatrix& q, std::string_view hint);

// output = x · weight. `accuracy_level`: what the runtime may round x to: 0 as it likes best, 1
// nothing (float32), 4 INT8. The model must import the operator's domain.
void n_bits_product(Graph& graph, ValueId x, const NBitsWeight& w, std::int64_t accuracy_level,
                    ValueId output, std::string_view hint);

// The weight of a MatMulNBits node, stored [out, in]; nothing if it is none that pack_matmul_nbits
// makes.
[[nodiscard]] std::optional<QuantizedMatrix> unpack_matmul_nbits(const Graph& graph, NodeId id);

}  // namespace onnxpress
