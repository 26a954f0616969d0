// SPDX-License-Identifier: Apache-2.0
#include "model/symbolic_shapes.h"

#include <utility>

#include "model/shape_inference.h"

namespace onnxpress {

SymbolicShapes::SymbolicShapes(const Graph& graph, std::span<const GrantedSize> granted) {
  auto result = ShapeInference(graph).run(granted);
  shapes_ = std::move(result.shapes);
  elements_ = std::move(result.elements);
}

std::optional<std::vector<std::int64_t>> SymbolicShapes::integers(ValueId value) const {
  if (value == kNoValue || static_cast<std::size_t>(value) >= elements_.size()) return std::nullopt;
  const auto& found = elements_[static_cast<std::size_t>(value)];
  if (!found) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const SymbolicDim& element : *found) {
    if (!element.known()) return std::nullopt;
    numbers.push_back(element.size);
  }
  return numbers;
}

std::optional<std::int64_t> SymbolicShapes::integer(ValueId value, std::size_t element) const {
  if (value == kNoValue || static_cast<std::size_t>(value) >= elements_.size()) return std::nullopt;
  const auto& found = elements_[static_cast<std::size_t>(value)];
  if (!found || element >= found->size() || !(*found)[element].known()) return std::nullopt;
  return (*found)[element].size;
}

const SymbolicShape* SymbolicShapes::shape(ValueId value) const {
  if (value == kNoValue || static_cast<std::size_t>(value) >= shapes_.size()) return nullptr;
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
