// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "ir/graph.h"
#include "numerics/quantized_matrix.h"

// The way in which operators of com.microsoft store blocks of codes: for each output a row of
// blocks, two 4-bit or four 2-bit codes to a byte, the first in the low bits. A last block that is
// not full is filled up.
namespace onnxpress {

// Tensors of a matrix of 2, 4 or 8 bits with groups.
struct BlockTensors {
  Tensor codes;   // uint8 [out, blocks, bytes a block]
  Tensor scales;  // float [out, blocks]
  // uint8 [out, ⌈blocks · bits / 8⌉], or float [out, blocks]; absent: half the range
  std::optional<Tensor> zeros;
};
// The grid must have 2, 4 or 8 bits and a group.
[[nodiscard]] BlockTensors to_blocks(const QuantizedMatrix& q);

// Back to a matrix stored [out, in]; nothing where the tensors' sizes do not fit. A symmetric grid
// where there are no zero points.
[[nodiscard]] std::optional<QuantizedMatrix> from_blocks(const Tensor& codes, const Tensor& scales,
                                                         const Tensor* zeros, int bits,
                                                         std::int64_t group, std::int64_t in,
                                                         std::int64_t out);

// Declares that the model uses operators of com.microsoft.
void import_contrib_operators(Model& model);
inline constexpr std::string_view kContribDomain = "com.microsoft";

}  // namespace onnxpress
