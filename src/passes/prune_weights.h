// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Sets weights of linear units to zero: a share of them, or all but N of each M neighbours along
// the input. They stay stored as they are, so neither the file nor products get smaller; an archive
// of the file does.
[[nodiscard]] PassInfo prune_weights_info();

}  // namespace onnxpress
