// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// INT8 weights, rounded to nearest, with one scale per output channel; products stay in float:
// y = x · DequantizeLinear(codes). FP16 weights are dequantized to FP16. A weight that an embedding
// reads as well is left to quantize_embeddings, which stores it once for both.
[[nodiscard]] PassInfo quantize_weights_info();

}  // namespace onnxpress
