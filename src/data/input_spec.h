// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ir/dtype.h"
#include "ir/shape.h"

namespace onnxpress {

class Graph;

// An input that a model asks for. Sizes that are known in `shape` are honoured: batches of such a
// model are that wide and that long.
struct InputSpec {
  std::string name;
  DType dtype = DType::undefined;
  Shape shape;
};

// The inputs of a graph, in order, without those that have a default (an initializer).
[[nodiscard]] std::vector<InputSpec> input_specs(const Graph& graph);

}  // namespace onnxpress
