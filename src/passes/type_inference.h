// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// Element types of all values of a graph, by ValueId: what the file declares, and what follows from
// the operators' definitions where it declares nothing. `undefined` where neither says. The nodes
// must be sorted.
[[nodiscard]] std::vector<DType> infer_types(const Graph& graph);

}  // namespace onnxpress
