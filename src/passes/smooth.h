// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Moves outlier channels from activations into weights, where rounding hurts less: the input of a
// group of units is divided by scales and their weight rows multiplied by them. The model computes
// the same; a quantizer behind it loses less. Looks at data.
[[nodiscard]] PassInfo smooth_info();

}  // namespace onnxpress
