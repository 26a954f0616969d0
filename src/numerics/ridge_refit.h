// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "numerics/gram.h"
#include "numerics/matrix.h"

namespace onnxpress {

// The weights that make X̃·W* come closest to the original's X·W without moving far from W:
// W* = (X̃ᵀX̃ + λI)⁻¹ (X̃ᵀX·W + λW), λ being `strength` times the mean of X̃ᵀX̃'s diagonal. Quantizing
// W* for the input X̃ then minimises the distance to the original output (completing the square of
// ‖XW - X̃Q‖²). `centred`: means are left out on both sides, for units whose bias takes the
// difference of the means. Returns W where the equations can't be solved.
[[nodiscard]] Matrix ridge_refit(const Matrix& w, const PairGram& moments, double strength,
                                 bool centred, ThreadPool& pool);

}  // namespace onnxpress
