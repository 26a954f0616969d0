// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// LayerNorms and RMSNorms whose gain and shift bring their output back to the original's.
[[nodiscard]] PassInfo fit_norms_info();

}  // namespace onnxpress
