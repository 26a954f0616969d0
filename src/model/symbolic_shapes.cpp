// SPDX-License-Identifier: Apache-2.0
#include "model/symbolic_shapes.h"

#include <utility>

#include "model/shape_inference.h"

namespace onnxpress {

SymbolicShapes::SymbolicShapes(const Graph& graph) {
  auto result = ShapeInference(graph).run();
  shapes_ = std::move(result.shapes);
  elements_ = std::move(result.elements);
}

std::optional<std::vector<std::int64_t>> SymbolicShapes::integers(ValueId value) const {
  if (value == kNoValue) return std::nullopt;
  const auto& found = elements_[static_cast<std::size_t>(value)];
  if (!found) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const SymbolicDim& element : *found) {
    if (!element.known()) return std::nullopt;
    numbers.push_back(element.size);
  }
  return numbers;
}

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
