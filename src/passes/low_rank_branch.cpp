// SPDX-License-Identifier: Apache-2.0
#include "passes/low_rank_branch.h"

#include <string>
#include <utility>

#include "pack/codes.h"
#include "pack/qdq.h"
#include "passes/linear_units.h"

namespace onnxpress {
namespace {

Tensor tensor_of(const Matrix& m) {
  return Tensor::of<float>({m.rows, m.columns}, m.values);
}

// A factor as a value of float32.
ValueId factor_value(Graph& graph, const QuantizedMatrix& codes, const Matrix& values,
                     FactorType type, const std::string& name) {
  switch (type) {
    case FactorType::int8:
      return pack_qdq(graph, codes, name);
    case FactorType::float16:
      return cast(graph, graph.add_constant(name, in_halves(tensor_of(values))), DType::float16,
                  DType::float32, name + "_cast");
    case FactorType::float32:
      return graph.add_constant(name, tensor_of(values));
  }
  return kNoValue;
}

// x·A, [.., rank]
ValueId narrow_product(Graph& graph, ValueId x, ValueId a, std::int64_t rank,
                       const std::string& name) {
  std::optional<Shape> shape = graph.value(x).shape;
  if (shape && !shape->empty()) shape->back() = {rank, ""};
  return graph.add("MatMul", {x, a}, {}, name, "", DType::float32, std::move(shape));
}

}  // namespace

void replace_by_factors(Graph& graph, const LinearUnit& unit, const Matrix& a, const Matrix& b,
                        std::string_view hint) {
  const std::string name(hint);
  const ValueId first = graph.add_constant(name + "_a", tensor_of(a));
  const ValueId second = graph.add_constant(name + "_b", tensor_of(b));
  const ValueId narrow = narrow_product(graph, unit.input, first, a.columns, name + "_narrow");
  graph.set_input(unit.product, 0, narrow);
  graph.set_input(unit.product, 1, second);
  if (graph.node(unit.product).is("Gemm")) {
    graph.attributes(unit.product).set("transB", std::int64_t{0});
  }
}

void add_correction(Graph& graph, const LinearUnit& unit, const LowRankCorrection& correction,
                    std::string_view hint) {
  const std::string name = std::string(hint) + "_correction";
  const ValueId a =
      factor_value(graph, correction.a_codes, correction.a_values, correction.type, name + "_a");
  const ValueId b =
      factor_value(graph, correction.b_codes, correction.b_values, correction.type, name + "_b");
  const ValueId output = unit.biased_output;
  const std::optional<Shape> shape = graph.value(output).shape;
  const ValueId narrow = narrow_product(graph, unit.input, a, correction.rank(), name + "_narrow");
  const ValueId branch =
      graph.add("MatMul", {narrow, b}, {}, name + "_product", "", DType::float32, shape);
  // The graph's outputs keep their values: what made this one makes another, and the sum this one.
  const NodeId producer = *graph.producer_id(output);
  Node node = graph.node(producer);
  const ValueId main =
      graph.add_value(graph.value(output).name + "_uncorrected", DType::float32, shape);
  for (ValueId& made : node.outputs) {
    if (made == output) made = main;
  }
  graph.erase(producer);
  graph.add_node(std::move(node));
  graph.add_node({.name = name + "_add",
                  .op_type = "Add",
                  .domain = "",
                  .inputs = {main, branch},
                  .outputs = {output}});
}

std::int64_t needed_opset(FactorType type) {
  return type == FactorType::int8 ? 13 : 0;
}

}  // namespace onnxpress
