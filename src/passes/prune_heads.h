// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

[[nodiscard]] PassInfo prune_heads_info();

}  // namespace onnxpress
