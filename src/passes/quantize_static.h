// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Integer products with INT8 weights and UINT8 inputs whose ranges were found on data: every linear
// unit reads its input through QuantizeLinear and DequantizeLinear. Everything else stays in float.
[[nodiscard]] PassInfo quantize_static_info();

}  // namespace onnxpress
