// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Removes attention heads with all that computes them. The model then computes what it computed
// with the heads' rows of the output projection set to zero; with data, the rows that are left are
// then refitted to the original's outputs.
[[nodiscard]] PassInfo prune_heads_info();

}  // namespace onnxpress
