// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Removes neurons of feed-forward blocks with all that computes them. The model then computes what
// it computed with the neurons' rows of `down` set to zero; with data, the rows that are left are
// then refitted to the original's outputs.
[[nodiscard]] PassInfo prune_neurons_info();

}  // namespace onnxpress
