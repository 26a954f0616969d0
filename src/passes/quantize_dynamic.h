// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// INT8 weights and integer products: the input of a linear unit is rounded to UINT8 with a range
// that is taken when the model runs (DynamicQuantizeLinear, shared by all units that read the same
// tensor), multiplied as integers, and scaled back with one scale per output channel. Weights that
// are INT8 already (quantize_weights, quantize_embeddings) are taken as they are.
[[nodiscard]] PassInfo quantize_dynamic_info();

}  // namespace onnxpress
