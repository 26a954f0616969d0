// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ir/graph.h"

namespace onnxpress::exec {

// Replaces groups of nodes in a session's private copy of a graph by single nodes of domain
// kFusedDomain, for which there are fast kernels. Graph outputs keep their ValueId and are computed
// as before, so whoever wants to see a value makes it an output first. The caller removes unused
// nodes and sorts afterwards.
void fuse(Graph& graph, std::int64_t opset);

}  // namespace onnxpress::exec
