// SPDX-License-Identifier: Apache-2.0
#include "data/input_spec.h"

#include "ir/graph.h"

namespace onnxpress {

std::vector<InputSpec> input_specs(const Graph& graph) {
  std::vector<InputSpec> specs;
  for (const ValueId id : graph.inputs()) {
    const Value& value = graph.value(id);
    if (value.constant) continue;
    specs.push_back({value.name, value.dtype, value.shape.value_or(Shape{})});
  }
  return specs;
}

}  // namespace onnxpress
