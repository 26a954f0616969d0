// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "ir/graph.h"
#include "model/symbolic_shapes.h"

namespace onnxpress {

// Makes one element of an integer operand (a target shape, the end of a Slice) another number, for
// this node alone: others that read the same constant, or the Concat that exporters put such
// shapes together with, keep theirs. False where nothing is known to change; the graph then holds
// at most nodes that nobody reads.
//
//   Reshape(x, Concat(batch, sequence, [4], [12])), element 2 → 3:
//   Reshape(x, Concat'(batch, sequence, [3], [12]))
bool set_element(Graph& graph, const SymbolicShapes& shapes, NodeId node, std::size_t input,
                 std::size_t element, std::int64_t number);

}  // namespace onnxpress
