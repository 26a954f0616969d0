// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/shape_operands.h"

#include <optional>
#include <utility>
#include <vector>

#include "passes/pruning/cut_spread.h"

namespace onnxpress {
namespace {

constexpr int kMostNodes = 8;  // between the operand and the constant

class Changer {
 public:
  Changer(Graph& graph, const SymbolicShapes& shapes, std::int64_t number)
      : graph_(graph), shapes_(shapes), number_(number) {}

  // A value like `value`, with the number at `element`; nothing where that can't be.
  std::optional<ValueId> changed(ValueId value, std::size_t element, int depth = 0) {
    if (value == kNoValue || depth > kMostNodes) return std::nullopt;
    const ValueId stored = stored_value(graph_, value);
    if (stored != kNoValue) return changed_constant(stored, element);
    const Node* producer = graph_.producer(value);
    if (producer == nullptr) return std::nullopt;
    const Node node = *producer;  // a copy: adding nodes moves the original
    if (node.is("Concat")) return changed_concat(value, node, element, depth);
    if (const auto all = shapes_.integers(value)) {
      std::vector<std::int64_t> numbers = *all;
      if (element >= numbers.size()) return std::nullopt;
      numbers[element] = number_;
      return constant(value, std::move(numbers), shapes_.shape(value)->empty());
    }
    if (node.is("Cast") || (node.is("Reshape") && keeps_rank_one(node, value))) {
      const auto inner = changed(node.input(0), element, depth + 1);
      if (!inner) return std::nullopt;
      Node copy = node;
      copy.inputs[0] = *inner;
      return added(std::move(copy), value);
    }
    return std::nullopt;
  }

 private:
  std::optional<ValueId> changed_constant(ValueId value, std::size_t element) {
    const Tensor& tensor = *graph_.constant(value);
    if (tensor.dtype() != DType::int64 && tensor.dtype() != DType::int32) return std::nullopt;
    std::vector<std::int64_t> numbers = tensor.to_int64s();
    if (tensor.rank() > 1 || element >= numbers.size()) return std::nullopt;
    numbers[element] = number_;
    if (tensor.dtype() == DType::int32) {
      std::vector<std::int32_t> narrow(numbers.begin(), numbers.end());
      return graph_.add_constant(graph_.value(value).name,
                                 Tensor::of<std::int32_t>(tensor.dims(), std::move(narrow)));
    }
    return constant(value, std::move(numbers), tensor.rank() == 0);
  }

  ValueId constant(ValueId like, std::vector<std::int64_t> numbers, bool scalar) {
    Dims dims;
    if (!scalar) dims.push_back(static_cast<std::int64_t>(numbers.size()));
    return graph_.add_constant(graph_.value(like).name,
                               Tensor::of<std::int64_t>(std::move(dims), std::move(numbers)));
  }

  std::optional<ValueId> changed_concat(ValueId value, Node node, std::size_t element, int depth) {
    for (ValueId& input : node.inputs) {
      const std::int64_t count = shapes_.size(input, 0);
      if (count < 0) return std::nullopt;
      if (element >= static_cast<std::size_t>(count)) {
        element -= static_cast<std::size_t>(count);
        continue;
      }
      const auto inner = count == 1 && graph_.value(value).dtype != DType::int32
                             ? std::optional(constant(input, {number_}, false))
                             : changed(input, element, depth + 1);
      if (!inner) return std::nullopt;
      input = *inner;
      return added(std::move(node), value);
    }
    return std::nullopt;
  }

  [[nodiscard]] bool keeps_rank_one(const Node& node, ValueId value) const {
    const SymbolicShape* in = shapes_.shape(node.input(0));
    const SymbolicShape* out = shapes_.shape(value);
    return in != nullptr && out != nullptr && in->size() == 1 && out->size() == 1;
  }

  ValueId added(Node node, ValueId like) {
    const Value& old = graph_.value(like);
    const ValueId output = graph_.add_value(old.name, old.dtype, old.shape);
    node.outputs = {output};
    if (!node.name.empty()) node.name += "_cut";
    graph_.add_node(std::move(node));
    return output;
  }

  Graph& graph_;
  const SymbolicShapes& shapes_;
  std::int64_t number_;
};

}  // namespace

bool set_element(Graph& graph, const SymbolicShapes& shapes, NodeId node, std::size_t input,
                 std::size_t element, std::int64_t number) {
  const auto value =
      Changer(graph, shapes, number).changed(graph.node(node).input(input), element);
  if (!value) return false;
  graph.set_input(node, input, *value);
  return true;
}

}  // namespace onnxpress
