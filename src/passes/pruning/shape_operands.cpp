// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/shape_operands.h"

#include <utility>

#include "passes/pruning/cut_spread.h"

namespace onnxpress {
namespace {

constexpr int kMostNodes = 8;  // between the operand and the constant

bool keeps_elements(const SymbolicShapes& shapes, const Node& node) {
  if (node.is("Cast")) return true;
  if (!node.is("Reshape")) return false;
  const SymbolicShape* in = shapes.shape(node.input(0));
  const SymbolicShape* out = shapes.shape(node.outputs[0]);
  return in != nullptr && out != nullptr && in->size() == 1 && out->size() == 1;
}

}  // namespace

bool ElementChanges::set(NodeId node, std::size_t input, std::size_t element, std::int64_t number) {
  const auto value = changed({graph_.node(node).input(input), element, number}, 0);
  if (!value) return false;
  graph_.set_input(node, input, *value);
  return true;
}

std::optional<ValueId> ElementChanges::changed(const Change& change, int depth) {
  if (change.value == kNoValue || depth > kMostNodes) return std::nullopt;
  const auto known = made_.find(change);
  if (known != made_.end()) return known->second;
  const auto value = make(change, depth);
  if (value) made_.emplace(change, *value);
  return value;
}

std::optional<ValueId> ElementChanges::make(const Change& change, int depth) {
  const ValueId stored = stored_value(graph_, change.value);
  if (stored != kNoValue) return make_constant({stored, change.element, change.number});
  const Node* producer = graph_.producer(change.value);
  if (producer == nullptr) return std::nullopt;
  Node node = *producer;  // a copy: adding nodes moves the original
  if (node.is("Concat")) return make_concat(std::move(node), change, depth);
  if (auto numbers = shapes_.integers(change.value)) {
    if (change.element >= numbers->size()) return std::nullopt;
    (*numbers)[change.element] = change.number;
    const SymbolicShape* shape = shapes_.shape(change.value);
    return add_numbers(change.value, *std::move(numbers), shape != nullptr && shape->empty());
  }
  if (!keeps_elements(shapes_, node)) return std::nullopt;
  const auto inner = changed({node.input(0), change.element, change.number}, depth + 1);
  if (!inner) return std::nullopt;
  node.inputs[0] = *inner;
  return add_copy(std::move(node), change.value);
}

std::optional<ValueId> ElementChanges::make_constant(const Change& change) {
  const Tensor& tensor = *graph_.constant(change.value);
  if (tensor.dtype() != DType::int64 && tensor.dtype() != DType::int32) return std::nullopt;
  std::vector<std::int64_t> numbers = tensor.to_int64s();
  if (tensor.rank() > 1 || change.element >= numbers.size()) return std::nullopt;
  numbers[change.element] = change.number;
  if (tensor.dtype() == DType::int64) {
    return add_numbers(change.value, std::move(numbers), tensor.rank() == 0);
  }
  std::vector<std::int32_t> narrow;
  for (const std::int64_t number : numbers) narrow.push_back(static_cast<std::int32_t>(number));
  return graph_.add_constant(graph_.value(change.value).name,
                             Tensor::of<std::int32_t>(tensor.dims(), std::move(narrow)));
}

std::optional<ValueId> ElementChanges::make_concat(Node node, const Change& change, int depth) {
  auto element = static_cast<std::int64_t>(change.element);
  const bool narrow = graph_.value(change.value).dtype == DType::int32;
  for (ValueId& input : node.inputs) {
    const std::int64_t count = shapes_.size(input, 0);
    if (count < 0) return std::nullopt;
    if (element >= count) {
      element -= count;
      continue;
    }
    const auto inner =
        count == 1 && !narrow
            ? std::optional(add_numbers(input, {change.number}, false))
            : changed({input, static_cast<std::size_t>(element), change.number}, depth + 1);
    if (!inner) return std::nullopt;
    input = *inner;
    return add_copy(std::move(node), change.value);
  }
  return std::nullopt;
}

ValueId ElementChanges::add_numbers(ValueId like, std::vector<std::int64_t> numbers, bool scalar) {
  Dims dims;
  if (!scalar) dims.push_back(static_cast<std::int64_t>(numbers.size()));
  return graph_.add_constant(graph_.value(like).name,
                             Tensor::of<std::int64_t>(std::move(dims), std::move(numbers)));
}

ValueId ElementChanges::add_copy(Node node, ValueId like) {
  const Value& old = graph_.value(like);
  const ValueId output = graph_.add_value(old.name, old.dtype, old.shape);
  node.outputs = {output};
  node.name = graph_.value(output).name;
  graph_.add_node(std::move(node));
  return output;
}

}  // namespace onnxpress
