// SPDX-License-Identifier: Apache-2.0
#include "model/graph_walk.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "ir/patterns/constants.h"

namespace onnxpress {
namespace {

template <std::size_t n>
bool is_any(const Node& node, const std::array<std::string_view, n>& types) {
  return std::find(types.begin(), types.end(), node.op_type) != types.end();
}

// Operators of ONNX and of ONNX Runtime; others may have the same names.
bool is_standard(const Node& node) {
  return node.domain.empty() || node.domain == "com.microsoft";
}

bool constant_like(const Graph& graph, ValueId value, int depth) {
  if (value == kNoValue) return true;
  if (graph.constant(value) != nullptr) return true;
  const Node* node = graph.producer(value);
  if (node == nullptr || depth > 5 || node->inputs.empty() || node->inputs.size() > 3) return false;
  if (!node->captures.empty() || node->op_type.starts_with("Random")) return false;
  return std::all_of(node->inputs.begin(), node->inputs.end(),
                     [&](ValueId input) { return constant_like(graph, input, depth + 1); });
}

}  // namespace

bool is_quantized_product(const Node& node) {
  constexpr std::array<std::string_view, 9> kTypes = {"MatMulInteger",
                                                      "QLinearMatMul",
                                                      "MatMulNBits",
                                                      "MatMulIntegerToFloat",
                                                      "DynamicQuantizeMatMul",
                                                      "QGemm",
                                                      "MatMulBnb4",
                                                      "MatMulFpQ4",
                                                      "QMoE"};
  return is_standard(node) && is_any(node, kTypes);
}

bool is_listed_product(const Node& node) {
  constexpr std::array<std::string_view, 6> kTypes = {"MatMul",    "Gemm",       "FusedMatMul",
                                                      "FusedGemm", "GemmFloat8", "TransposeMatMul"};
  return (is_standard(node) && is_any(node, kTypes)) || is_quantized_product(node);
}

bool is_product(const Node& node) {
  return node.is("Einsum") || is_listed_product(node);
}

std::vector<ValueId> data_inputs(const Node& node) {
  constexpr std::array<std::string_view, 14> kAll = {"Add", "Sub", "Mul", "Div",    "Pow",
                                                     "Max", "Min", "Sum", "Concat", "Mean",
                                                     "And", "Or",  "Mod", "Equal"};
  if (node.inputs.empty()) return {};
  if (is_any(node, kAll)) return node.inputs;
  if (node.is("Where")) return {node.input(1), node.input(2)};
  return {node.inputs[0]};
}

bool only_moves(const Graph& graph, const Node& node) {
  constexpr std::array<std::string_view, 19> kMoves = {"Reshape",
                                                       "Transpose",
                                                       "Cast",
                                                       "Identity",
                                                       "Unsqueeze",
                                                       "Squeeze",
                                                       "Expand",
                                                       "Split",
                                                       "Slice",
                                                       "Flatten",
                                                       "Dropout",
                                                       "QuantizeLinear",
                                                       "Tile",
                                                       "DequantizeLinear",
                                                       "DynamicQuantizeLinear",
                                                       "CastLike",
                                                       "DepthToSpace",
                                                       "Reverse",
                                                       "Contiguous"};
  if (node.inputs.empty() || !is_standard(node)) return false;
  if (is_any(node, kMoves)) return true;
  return node.is("Gather") && !graph.constant(node.inputs[0]) &&
         patterns::constant_behind(graph, node.input(1)) != nullptr;
}

ValueId transparent_input(const Graph& graph, const Node& node) {
  if (only_moves(graph, node)) return node.inputs[0];
  if (node.is("Clip") || node.is("Neg")) return node.input(0);
  const bool affine = node.is("Add") || node.is("Sub") || node.is("Mul") || node.is("Div");
  if (!affine || node.inputs.size() != 2) return kNoValue;
  if (is_constant_like(graph, node.inputs[1])) return node.inputs[0];
  if (is_constant_like(graph, node.inputs[0]) && !node.is("Div")) return node.inputs[1];
  return kNoValue;
}

bool is_constant_like(const Graph& graph, ValueId value) {
  return constant_like(graph, value, 0);
}

}  // namespace onnxpress
