// SPDX-License-Identifier: Apache-2.0
// MatMul and Gemm with constant weights, and what follows a product: bias, activation, residual.
#include <array>

#include "exec/fast/activation_name.h"
#include "exec/fusion/fused_ops.h"
#include "exec/fusion/rewrite.h"

namespace onnxpress::exec {
namespace {

const Tensor* float_vector(const Graph& graph, ValueId id) {
  const Tensor* tensor = graph.constant(id);
  if (tensor == nullptr || tensor->rank() != 1 || tensor->dtype() != DType::float32) return nullptr;
  return tensor;
}

bool is_plain_gemm(const Graph& graph, const Node& node) {
  if (!node.is("Gemm")) return false;
  const Attributes& a = node.attributes;
  if (a.get_float("alpha", 1) != 1 || a.get_int("transA", 0) != 0) return false;
  if (node.input(2) == kNoValue) return true;
  // The vector may be shorter than the columns only if it is one number that is repeated.
  const Tensor* c = float_vector(graph, node.inputs[2]);
  return a.get_float("beta", 1) == 1 && c != nullptr && c->size() > 1;
}

bool fuse_product(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const bool gemm = is_plain_gemm(graph, node);
  if (!gemm && !node.is("MatMul")) return false;
  if (!is_float32(graph, node.inputs[0]) || !is_weight_matrix(graph, node.inputs[1])) return false;
  const std::int64_t transposed = gemm ? node.attributes.get_int("transB", 0) : 0;
  replace(graph, std::array{id}, fused::kProduct,
          {node.inputs[0], node.inputs[1], gemm ? node.input(2) : kNoValue, kNoValue},
          {{"transposed", transposed}}, node.outputs[0]);
  return true;
}

// The fused product at `id` with its inputs for bias and residual.
struct Epilogue {
  NodeId id;
  std::size_t bias;      // index of the input
  std::size_t residual;  // likewise
};

std::optional<Epilogue> epilogue_of(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (is_fused(node, fused::kProduct)) return Epilogue{id, 2, 3};
  if (is_fused(node, fused::kIntegerProduct)) return Epilogue{id, 5, 6};
  return std::nullopt;
}

// Columns of the product, if they are known by now.
std::int64_t columns_of(const Graph& graph, const Node& node) {
  const bool integer = is_fused(node, fused::kIntegerProduct);
  ValueId weight = node.inputs[integer ? 3 : 1];
  std::size_t axis = node.attributes.get_int("transposed", 0) != 0 ? 0 : 1;
  const Node* producer = graph.producer(weight);
  if (producer != nullptr && producer->is("Transpose")) {
    axis = 1 - axis;
    weight = producer->inputs[0];
    producer = graph.producer(weight);
  }
  if (graph.constant(weight) == nullptr && producer != nullptr) weight = producer->inputs[0];
  const Tensor* tensor = graph.constant(weight);
  return tensor == nullptr || tensor->rank() != 2 ? -1 : tensor->dims()[axis];
}

// Lets the product compute what `user`, its only reader, does.
void absorb(Graph& graph, const Epilogue& at, NodeId user, std::size_t input, ValueId value) {
  const ValueId output = graph.node(user).outputs[0];
  Node fused = graph.node(at.id);
  if (value != kNoValue) fused.inputs[input] = value;
  if (is_fused(graph.node(user), fused::kActivation)) {
    fused.attributes.set("activation", graph.node(user).attributes.get_string("activation", ""));
  }
  fused.outputs = {output};
  graph.erase(user);
  graph.erase(at.id);
  graph.add_node(std::move(fused));
}

// One step: bias, activation or residual. True if there was one.
bool absorb_next(Graph& graph, NodeId id) {
  const auto at = epilogue_of(graph, id);
  if (!at) return false;
  const Node& product = graph.node(id);
  const auto user = graph.single_user(product.outputs[0]);
  if (!user) return false;
  const Node& next = graph.node(*user);
  const bool activated = product.attributes.has("activation");
  const bool complete = product.inputs[at->residual] != kNoValue;
  if (complete) return false;
  if (is_fused(next, fused::kActivation)) {
    if (activated) return false;
    absorb(graph, *at, *user, 0, kNoValue);
    return true;
  }
  if (!next.is("Add") || next.inputs[0] == next.inputs[1]) return false;
  const ValueId other = next.inputs[next.inputs[0] == product.outputs[0] ? 1 : 0];
  if (!is_float32(graph, other)) return false;
  const Tensor* bias = float_vector(graph, other);
  if (bias != nullptr && bias->size() == columns_of(graph, product)) {
    if (activated || product.inputs[at->bias] != kNoValue) return false;
    absorb(graph, *at, *user, at->bias, other);
    return true;
  }
  if (graph.constant(other) != nullptr) return false;
  absorb(graph, *at, *user, at->residual, other);
  return true;
}

}  // namespace

std::size_t fuse_products(Graph& graph) {
  std::size_t made = 0;
  for (const NodeId id : nodes_of(graph)) {
    if (fuse_product(graph, id)) ++made;
  }
  return made;
}

std::size_t fuse_epilogues(Graph& graph) {
  std::size_t absorbed = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (const NodeId id : nodes_of(graph)) {
      if (!is_live(graph, id) || !absorb_next(graph, id)) continue;
      ++absorbed;
      changed = true;
    }
  }
  return absorbed;
}

}  // namespace onnxpress::exec
