// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Raises the model to a newer opset of ai.onnx: nodes are rewritten so that they mean there what
// they meant before. The runner does it before a pass that needs the opset.
[[nodiscard]] PassInfo upgrade_opset_info();

}  // namespace onnxpress
