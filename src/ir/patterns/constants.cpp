// SPDX-License-Identifier: Apache-2.0
#include "ir/patterns/constants.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace onnxpress::patterns {
namespace {

constexpr int kMaxDepth = 32;              // of the chains that are followed
constexpr int kMaxSteps = 16;              // of arithmetic on constants
constexpr std::int64_t kMaxScalar = 4096;  // elements looked at to see that all are equal

bool is_number(DType type) {
  return type == DType::float32 || type == DType::float64 || type == DType::float16 ||
         type == DType::bfloat16 || type == DType::int32 || type == DType::int64;
}

std::optional<double> uniform(const Tensor& tensor) {
  if (tensor.size() < 1 || tensor.size() > kMaxScalar || !is_number(tensor.dtype())) {
    return std::nullopt;
  }
  const std::vector<double> values = tensor.to_doubles();
  const bool same = std::all_of(values.begin(), values.end(),
                                [&](double value) { return value == values.front(); });
  if (!same) return std::nullopt;
  return values.front();
}

std::optional<double> evaluate(const Graph& graph, ValueId value, int& steps) {
  if (++steps > kMaxSteps) return std::nullopt;
  if (const Tensor* tensor = constant_behind(graph, value)) return uniform(*tensor);
  const Node* node = graph.producer(behind_casts(graph, value));
  if (node == nullptr || node->inputs.empty() || node->inputs.size() > 2) return std::nullopt;
  const bool known = node->is("Sqrt") || node->is("Reciprocal") || node->is("Neg") ||
                     node->is("Mul") || node->is("Div") || node->is("Add") || node->is("Sub") ||
                     node->is("Pow");
  if (!known) return std::nullopt;
  const auto a = evaluate(graph, node->inputs[0], steps);
  if (!a) return std::nullopt;
  if (node->is("Sqrt")) return std::sqrt(*a);
  if (node->is("Reciprocal")) return 1.0 / *a;
  if (node->is("Neg")) return -*a;
  const auto b = evaluate(graph, node->input(1), steps);
  if (!b) return std::nullopt;
  if (node->is("Mul")) return *a * *b;
  if (node->is("Div")) return *a / *b;
  if (node->is("Add")) return *a + *b;
  if (node->is("Sub")) return *a - *b;
  return std::pow(*a, *b);
}

}  // namespace

ValueId behind_casts(const Graph& graph, ValueId value) {
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const Node* node = graph.producer(value);
    if (node == nullptr || node->inputs.empty()) return value;
    if (!node->is("Identity") && !node->is("Cast") && !node->is("Dropout")) return value;
    if (node->outputs.empty() || node->outputs[0] != value) return value;  // a Dropout's mask
    value = node->inputs[0];
  }
  return value;
}

const Tensor* constant_behind(const Graph& graph, ValueId value) {
  for (int depth = 0; depth < kMaxDepth && value != kNoValue; ++depth) {
    if (const Tensor* tensor = graph.constant(value)) {
      return graph.value(value).is_input ? nullptr : tensor;
    }
    const Node* node = graph.producer(value);
    if (node == nullptr || node->inputs.empty()) return nullptr;
    constexpr std::array kKeepsElements = {"Identity", "Cast",   "Unsqueeze", "Squeeze",
                                           "Reshape",  "Expand", "Flatten"};
    const bool keeps = std::any_of(kKeepsElements.begin(), kKeepsElements.end(),
                                   [&](const char* type) { return node->is(type); });
    if (!keeps) return nullptr;
    value = node->inputs[0];
  }
  return nullptr;
}

std::optional<double> scalar_constant(const Graph& graph, ValueId value) {
  if (value == kNoValue) return std::nullopt;
  int steps = 0;
  return evaluate(graph, value, steps);
}

bool nearly_equal(double a, double b) {
  return std::abs(a - b) <= 1e-3 * std::max(std::abs(a), std::abs(b));
}

ValueId other_operand(const Node& node, ValueId value) {
  if (node.inputs.size() != 2 || node.inputs[0] == node.inputs[1]) return kNoValue;
  if (node.inputs[0] == value) return node.inputs[1];
  if (node.inputs[1] == value) return node.inputs[0];
  return kNoValue;
}

bool is_replaceable(const Graph& graph, std::span<const NodeId> nodes, ValueId output) {
  for (const NodeId id : nodes) {
    for (const ValueId value : graph.node(id).outputs) {
      if (value == kNoValue || value == output) continue;
      const Value& computed = graph.value(value);
      if (computed.is_output) return false;
      const bool inside =
          std::all_of(computed.uses.begin(), computed.uses.end(), [&](const Use& use) {
            return std::find(nodes.begin(), nodes.end(), use.node) != nodes.end();
          });
      if (!inside) return false;
    }
  }
  return true;
}

}  // namespace onnxpress::patterns
