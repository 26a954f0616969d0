// SPDX-License-Identifier: Apache-2.0
#include "passes/n_bits_units.h"

namespace onnxpress {

std::string why_not_one_operator(const LinearUnit& unit, const Graph& graph) {
  const Node& product = graph.node(unit.product);
  if (!product.is("MatMul") && !product.is("Gemm")) return "is not a MatMul or Gemm";
  if (unit.weight_operand != 1) return "the weight is the left operand";
  for (const Refusal& refusal : unit.why_not) {
    if (refusal.kind == RefusalKind::scaled) return refusal.text;
  }
  for (const NodeId id : unit.weight_path) {
    if (!graph.node(id).is("Transpose") && !graph.node(id).is("Identity")) {
      return "a " + graph.node(id).op_type + " stands behind the weight";
    }
  }
  const Tensor* weight = graph.constant(unit.weight);
  if (weight != nullptr && weight->dtype() != DType::float32) return "the weight is not float32";
  return "";
}

void replace_product(Graph& graph, const LinearUnit& unit, const NBitsWeight& weight,
                     std::int64_t accuracy_level) {
  const Node product = graph.node(unit.product);
  const std::string name = product.name.empty() ? graph.value(unit.output).name : product.name;
  const ValueId bias = product.input(2);
  graph.erase(unit.product);
  if (bias == kNoValue) {
    n_bits_product(graph, unit.input, weight, accuracy_level, unit.output, name);
    return;
  }
  const Value& output = graph.value(unit.output);
  const ValueId y = graph.add_value(output.name + "_product", output.dtype, output.shape);
  n_bits_product(graph, unit.input, weight, accuracy_level, y, name);
  graph.add_node({.name = name + "_bias",
                  .op_type = "Add",
                  .domain = "",
                  .inputs = {y, bias},
                  .outputs = {unit.output}});
}

}  // namespace onnxpress
