// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Linear units whose weight becomes a product of two thin ones, x·A·B, where that takes fewer bytes
// and keeps enough of their output. Solved on what data flow through the model as it is by then.
[[nodiscard]] PassInfo low_rank_info();

}  // namespace onnxpress
