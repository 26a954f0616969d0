// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "model/linear_unit.h"

namespace onnxpress {

// Whether the unit has a constant vector of its own that is added to its result, so that a
// correction of the mean costs nothing at run time.
[[nodiscard]] bool has_own_bias(const Graph& graph, const LinearUnit& unit);

// Adds `change` [out] to that vector. The unit must have one.
void add_to_bias(Graph& graph, const LinearUnit& unit, std::span<const float> change);

}  // namespace onnxpress
