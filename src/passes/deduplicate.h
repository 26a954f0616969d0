// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Stores equal things once, without changing a bit of any output:
//   - constants of equal type, shape and bytes become one;
//   - a matrix that is another one's transpose (an output head that was exported beside the
//     embedding it is tied to) becomes a Transpose of it. Runtimes compute that once at load, as
//     they do with every node whose inputs are constant: the file is smaller, and what runs is the
//     same;
//   - nodes that compute the same from the same inputs become one.
[[nodiscard]] PassInfo deduplicate_info();

}  // namespace onnxpress
