// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"

// The weight of a com.microsoft.MatMulNBits node: for each output a row of blocks of codes.
namespace onnxpress::exec {

// Why the weight can't be taken, or nothing if it can.
[[nodiscard]] std::optional<std::string> why_not_blocks(const Node& node, const Tensor* codes,
                                                        const Tensor* scales, const Tensor* zeros,
                                                        bool has_zeros);

// (code - zero) · scale as [K, N]. The tensors must be such that why_not_blocks says nothing.
[[nodiscard]] std::vector<float> dequantize_blocks(const Node& node, const Tensor& codes,
                                                   const Tensor& scales, const Tensor* zeros);

}  // namespace onnxpress::exec
