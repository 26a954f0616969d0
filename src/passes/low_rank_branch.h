// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "model/linear_unit.h"
#include "numerics/low_rank_correction.h"

// Products of two thin matrices in the graph. Units must be such that why_not_one_operator() has
// nothing against them.
namespace onnxpress {

// The unit's product multiplies x·A by B instead of x by its weight; a Gemm keeps its C.
void replace_by_factors(Graph& graph, const LinearUnit& unit, const Matrix& a, const Matrix& b,
                        std::string_view hint);

// Adds x·A·B to the unit's result (behind its bias). INT8 factors stand behind DequantizeLinear
// with a scale for each direction (opset 13), those of float16 behind Cast.
void add_correction(Graph& graph, const LinearUnit& unit, const LowRankCorrection& correction,
                    std::string_view hint);
// The oldest opset that has the operators.
[[nodiscard]] std::int64_t needed_opset(FactorType type);

}  // namespace onnxpress
