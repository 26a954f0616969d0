// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "io/rope.h"
#include "io/tensor_writer.h"
#include "ir/graph.h"

namespace onnxpress::io {

// The fields of a GraphProto, in ascending order of their numbers. Large initializers go into
// `data` where one is given. The rope points to the weights of the graph.
[[nodiscard]] Rope write_graph(const Graph& graph, bool keep_metadata, DataFile* data);

// There is an initializer, here or in a body, that is not a graph input.
[[nodiscard]] bool has_pure_initializers(const Graph& graph);

}  // namespace onnxpress::io
