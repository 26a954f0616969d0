// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "model/linear_unit.h"
#include "pack/matmul_nbits.h"

// Linear units whose product becomes one MatMulNBits.
namespace onnxpress {

// Why one operator can't take the product's place, or "".
[[nodiscard]] std::string why_not_one_operator(const LinearUnit& unit, const Graph& graph);

// Puts the operator in the place of the unit's product; Gemm's C is added behind it.
void replace_product(Graph& graph, const LinearUnit& unit, const NBitsWeight& weight,
                     std::int64_t accuracy_level);

}  // namespace onnxpress
