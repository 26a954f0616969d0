// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// The classifier or output head, refitted to the original's logits.
[[nodiscard]] PassInfo fit_head_info();

}  // namespace onnxpress
