// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// By ValueId of `after`, which began as a copy of `before` and is sorted: whether the value is
// computed in another way than before. Constants are compared by where their elements lie, so both
// graphs must hold on to their tensors.
[[nodiscard]] std::vector<bool> changed_values(const Graph& before, const Graph& after);

}  // namespace onnxpress
