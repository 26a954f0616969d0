// SPDX-License-Identifier: Apache-2.0
#include "passes/type_inference.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace onnxpress {
namespace {

bool any_of(const Node& node, std::span<const std::string_view> types) {
  return std::ranges::find(types, std::string_view(node.op_type)) != types.end();
}

constexpr std::array<std::string_view, 6> kGiveInt64{"Shape",  "Size",    "ArgMax",
                                                     "ArgMin", "NonZero", "NonMaxSuppression"};
constexpr std::array<std::string_view, 11> kGiveBool{
    "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "And",
    "Or",    "Xor",     "IsNaN",          "IsInf"};
constexpr std::array<std::string_view, 2> kGiveInt32{"MatMulInteger", "ConvInteger"};
constexpr std::array<std::string_view, 4> kRandom{"RandomNormal", "RandomUniform",
                                                  "RandomNormalLike", "RandomUniformLike"};

class Inference {
 public:
  explicit Inference(const Graph& graph) : graph_(graph), types_(graph.value_capacity()) {
    for (const ValueId id : graph.values()) {
      const Value& value = graph.value(id);
      at(id) = value.constant ? value.constant->dtype() : value.dtype;
    }
    for (const NodeId id : graph.nodes()) visit(graph.node(id));
  }
  [[nodiscard]] std::vector<DType> take() { return std::move(types_); }

 private:
  DType& at(ValueId id) { return types_[static_cast<std::size_t>(id)]; }

  void visit(const Node& node) {
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id != kNoValue && at(id) == DType::undefined) at(id) = output_type(node, i);
    }
  }

  DType input_type(const Node& node, std::size_t i) {
    return node.input(i) == kNoValue ? DType::undefined : at(node.input(i));
  }

  DType output_type(const Node& node, std::size_t i) {
    if (!node.domain.empty()) return DType::undefined;
    const Attributes& a = node.attributes;
    if (any_of(node, kGiveInt64)) return DType::int64;
    if (any_of(node, kGiveBool)) return DType::boolean;
    if (any_of(node, kGiveInt32)) return DType::int32;
    if (node.is("Cast")) return static_cast<DType>(a.get_int("to", 0));
    if (node.is("CastLike") || node.is("Where")) return input_type(node, 1);
    if (node.is("OneHot")) return input_type(node, 2);
    if (node.is("ConstantOfShape")) {
      const Tensor* value = a.get_tensor("value");
      return value == nullptr ? DType::float32 : value->dtype();
    }
    if (any_of(node, kRandom) || node.is("EyeLike")) {
      const auto dtype = static_cast<DType>(a.get_int("dtype", 0));
      if (dtype != DType::undefined) return dtype;
      return node.inputs.empty() ? DType::float32 : input_type(node, 0);
    }
    if (node.is("DequantizeLinear")) return input_type(node, 1);
    if (node.is("QuantizeLinear")) {
      return node.input(2) == kNoValue ? DType::uint8 : input_type(node, 2);
    }
    if (node.is("DynamicQuantizeLinear")) return i == 1 ? DType::float32 : DType::uint8;
    if (node.is("TopK") || node.is("Unique")) return i == 0 ? input_type(node, 0) : DType::int64;
    if (node.is("Dropout") && i == 1) return DType::boolean;
    if (node.is("LayerNormalization") && i > 0) return DType::float32;
    if (node.is("If")) return body_output(a, "then_branch", i);
    if (node.is("Loop")) return body_output(a, "body", i + 1);  // after the condition
    if (node.is("Scan")) return body_output(a, "body", i);
    return input_type(node, 0);
  }

  static DType body_output(const Attributes& attributes, std::string_view name, std::size_t i) {
    const Attribute* attribute = attributes.find(name);
    const auto* body = attribute == nullptr ? nullptr : std::get_if<Subgraph>(&attribute->value);
    if (body == nullptr || i >= body->graph().outputs().size()) return DType::undefined;
    return body->graph().value(body->graph().outputs()[i]).dtype;
  }

  const Graph& graph_;
  std::vector<DType> types_;
};

}  // namespace

std::vector<DType> infer_types(const Graph& graph) {
  return Inference(graph).take();
}

}  // namespace onnxpress
