// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Whole layers that go.
[[nodiscard]] PassInfo drop_layers_info();

}  // namespace onnxpress
