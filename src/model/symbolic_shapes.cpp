// SPDX-License-Identifier: Apache-2.0
#include "model/symbolic_shapes.h"

#include "model/shape_inference.h"

namespace onnxpress {

SymbolicShapes::SymbolicShapes(const Graph& graph) : shapes_(ShapeInference(graph).run()) {}

const SymbolicShape* SymbolicShapes::shape(ValueId value) const {
  if (value == kNoValue) return nullptr;
  const auto& found = shapes_[static_cast<std::size_t>(value)];
  return found ? &*found : nullptr;
}

std::int64_t SymbolicShapes::size(ValueId value, std::int64_t axis) const {
  const SymbolicShape* found = shape(value);
  if (found == nullptr) return -1;
  if (axis < 0) axis += static_cast<std::int64_t>(found->size());
  if (axis < 0 || axis >= static_cast<std::int64_t>(found->size())) return -1;
  const SymbolicDim& dim = (*found)[static_cast<std::size_t>(axis)];
  return dim.known() ? dim.size : -1;
}

}  // namespace onnxpress
