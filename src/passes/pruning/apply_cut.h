// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "passes/pruning/cut_spread.h"

namespace onnxpress {

// Takes out of the graph all that a spread names: columns and rows of weights, places of biases,
// tables and masks; sizes in Reshape, Expand, Split and Slice; numbers of heads. Then derives all
// shapes again and compares. Returns "" or why it can't be done; the graph is as before then.
//
// `shapes`: of the graph, with its concrete_sizes().
// `sizes_only`: the new tensors hold anything, but take no memory: for plans.
[[nodiscard]] std::string apply_cut(Graph& graph, const SymbolicShapes& shapes,
                                    const CutSpread& spread, bool sizes_only);

}  // namespace onnxpress
