// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "ir/graph.h"

namespace onnxpress {

// Lets readers of a node that computes the same as an earlier one (operator, inputs, attributes)
// read the earlier one's outputs, and removes it. Leaves alone what draws random numbers, owns
// bodies or gives graph outputs. Returns how many nodes went. The graph must be sorted.
std::size_t merge_equal_nodes(Graph& graph);

}  // namespace onnxpress
