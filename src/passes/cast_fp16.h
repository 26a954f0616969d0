// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Weights and products in half precision. Graph inputs and outputs keep their types, with Casts
// behind and before them; norms, activations, masks and whatever reads a number that does not fit
// stay in float32 between Casts (see half_plan.h). Tensors that hold numbers over 65504, or of
// which more than `max_vanishing` would become zero, stay as they are and are listed with their
// counts.
[[nodiscard]] PassInfo cast_fp16_info();

}  // namespace onnxpress
