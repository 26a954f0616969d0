// SPDX-License-Identifier: Apache-2.0
#include "exec/fusion/rewrite.h"

#include <algorithm>
#include <string>

#include "exec/kernel.h"

namespace onnxpress::exec {

bool is_float32(const Graph& graph, ValueId value) {
  return value != kNoValue && graph.value(value).dtype == DType::float32;
}

bool is_weight_matrix(const Graph& graph, ValueId value) {
  if (value == kNoValue) return false;
  if (const Tensor* constant = graph.constant(value)) {
    return constant->rank() == 2 && constant->dtype() == DType::float32;
  }
  const Node* node = graph.producer(value);
  if (node != nullptr && node->is("Transpose")) node = graph.producer(node->input(0));
  if (node == nullptr || !node->is("DequantizeLinear")) return false;
  const auto is_constant = [&](ValueId id) {
    return id == kNoValue || graph.constant(id) != nullptr;
  };
  const Tensor* codes = graph.constant(node->input(0));
  const Tensor* scales = graph.constant(node->input(1));
  return codes != nullptr && codes->rank() == 2 && scales != nullptr &&
         scales->dtype() == DType::float32 && std::ranges::all_of(node->inputs, is_constant);
}

std::optional<NodeId> only_reader(const Graph& graph, ValueId value, std::string_view op_type) {
  const auto user = graph.single_user(value);
  if (!user || !graph.node(*user).is(op_type)) return std::nullopt;
  return user;
}

bool is_fused(const Node& node, std::string_view op_type) {
  return node.domain == kFusedDomain && node.op_type == op_type;
}

NodeId replace(Graph& graph, std::span<const NodeId> nodes, std::string_view op_type,
               std::vector<ValueId> inputs, Attributes attributes, ValueId output) {
  const std::string name = graph.node(*graph.producer_id(output)).name;
  for (const NodeId id : nodes) graph.erase(id);
  return graph.add_node({.name = name,
                         .op_type = std::string(op_type),
                         .domain = std::string(kFusedDomain),
                         .inputs = std::move(inputs),
                         .outputs = {output},
                         .attributes = std::move(attributes)});
}

std::vector<NodeId> nodes_of(const Graph& graph) {
  return {graph.nodes().begin(), graph.nodes().end()};
}

bool is_live(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  return std::ranges::any_of(node.outputs, [&](ValueId output) {
    return output != kNoValue && graph.producer_id(output) == id;
  });
}

}  // namespace onnxpress::exec
