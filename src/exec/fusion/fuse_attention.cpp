// SPDX-License-Identifier: Apache-2.0
// Softmax(scale · MatMul(q, Transpose(k)) + mask) × v, with the Transposes around it read as
// strides. Reshapes stay: they cost nothing.
#include "exec/fusion/fused_ops.h"
#include "exec/fusion/rewrite.h"
#include "ir/patterns/constants.h"

namespace onnxpress::exec {
namespace {

using Permutation = std::vector<std::int64_t>;

struct Operand {
  ValueId value = kNoValue;
  bool rows_first = false;
};

struct AttentionMatch {
  Operand q, k, v;
  ValueId mask = kNoValue, output = kNoValue;
  bool out_rows_first = false;
  double scale = 1;
  std::vector<NodeId> nodes;
};

const Node* transpose_of(const Graph& graph, ValueId value, const Permutation& perm) {
  const Node* node = graph.producer(value);
  if (node == nullptr || !node->is("Transpose") || node->attributes.get_ints("perm") != perm) {
    return nullptr;
  }
  return node;
}

// [batch, heads, rows, depth] as it is, or through a Transpose from [batch, rows, heads, depth].
Operand behind_transpose(const Graph& graph, ValueId value) {
  if (const Node* node = transpose_of(graph, value, {0, 2, 1, 3})) return {node->inputs[0], true};
  return {value, false};
}

std::optional<Operand> keys_behind(const Graph& graph, ValueId transposed) {
  if (const Node* node = transpose_of(graph, transposed, {0, 2, 3, 1})) {
    return Operand{node->inputs[0], true};
  }
  if (const Node* node = transpose_of(graph, transposed, {0, 1, 3, 2})) {
    return behind_transpose(graph, node->inputs[0]);
  }
  return std::nullopt;
}

// Walks from a value that only one node reads to the node that computes it.
const Node* step_up(const Graph& graph, ValueId value, std::vector<NodeId>& nodes) {
  const Node* node = graph.producer(value);
  if (node == nullptr || !graph.single_user(value)) return nullptr;
  nodes.push_back(*graph.producer_id(value));
  return node;
}

// The value without factors that are constants, which `scale` collects.
ValueId unscaled(const Graph& graph, ValueId value, double& scale) {
  for (;;) {
    const Node* node = graph.producer(value);
    if (node == nullptr || !(node->is("Mul") || node->is("Div"))) return value;
    const auto divisor = patterns::scalar_constant(graph, node->inputs[1]);
    const auto factor = node->is("Mul") && !divisor
                            ? patterns::scalar_constant(graph, node->inputs[0])
                            : std::nullopt;
    if (!divisor && !factor) return value;
    // A constant of many equal elements could also widen the result: only plain numbers count.
    const ValueId number = node->inputs[divisor ? 1 : 0];
    const Tensor* tensor = patterns::constant_behind(graph, number);
    if (tensor == nullptr || tensor->size() != 1) return value;
    const double by = divisor ? *divisor : *factor;
    scale *= node->is("Div") ? 1 / by : by;
    value = node->inputs[divisor ? 0 : 1];
  }
}

// Everything between the scores and the input of the Softmax.
bool match_scores(const Graph& graph, ValueId scores, AttentionMatch& match) {
  const Node* node = step_up(graph, scores, match.nodes);
  if (node != nullptr && node->is("Add")) {
    for (const std::size_t side : {0U, 1U}) {
      std::vector<NodeId> nodes = match.nodes;
      double scale = 1;
      const ValueId product = unscaled(graph, node->inputs[side], scale);
      const Node* matmul = graph.producer(product);
      if (matmul == nullptr || !matmul->is("MatMul")) continue;
      if (!keys_behind(graph, unscaled(graph, matmul->inputs[1], scale))) continue;
      match.mask = node->inputs[1 - side];
      scores = node->inputs[side];
      node = step_up(graph, scores, match.nodes);
      break;
    }
    if (match.mask == kNoValue || !is_float32(graph, match.mask)) return false;
  }
  while (node != nullptr && (node->is("Mul") || node->is("Div"))) {
    double by = 1;
    const ValueId source = unscaled(graph, scores, by);
    if (source == scores) return false;
    // One node a step, so that every one of them is checked for other readers.
    const ValueId next =
        patterns::scalar_constant(graph, node->inputs[1]) ? node->inputs[0] : node->inputs[1];
    double rest = 1;
    unscaled(graph, next, rest);
    match.scale *= by / rest;
    scores = next;
    node = step_up(graph, scores, match.nodes);
  }
  if (node == nullptr || !node->is("MatMul")) return false;
  // Some exporters scale the factors instead of the scores.
  const auto keys = keys_behind(graph, unscaled(graph, node->inputs[1], match.scale));
  if (!keys) return false;
  match.k = *keys;
  match.q = behind_transpose(graph, unscaled(graph, node->inputs[0], match.scale));
  return is_float32(graph, match.q.value) && is_float32(graph, match.k.value);
}

std::optional<AttentionMatch> match_attention(const Graph& graph, NodeId id, std::int64_t opset) {
  const Node& softmax = graph.node(id);
  if (!softmax.is("Softmax") || !is_float32(graph, softmax.inputs[0])) return std::nullopt;
  const std::int64_t axis = softmax.attributes.get_int("axis", opset < 13 ? 1 : -1);
  if (axis != -1 && axis != 3) return std::nullopt;
  AttentionMatch match;
  match.nodes.push_back(id);
  if (!match_scores(graph, softmax.inputs[0], match)) return std::nullopt;
  const auto product = only_reader(graph, softmax.outputs[0], "MatMul");
  if (!product || graph.node(*product).inputs[0] != softmax.outputs[0]) return std::nullopt;
  match.nodes.push_back(*product);
  match.v = behind_transpose(graph, graph.node(*product).inputs[1]);
  if (!is_float32(graph, match.v.value)) return std::nullopt;
  match.output = graph.node(*product).outputs[0];
  if (const auto user = only_reader(graph, match.output, "Transpose")) {
    if (graph.node(*user).attributes.get_ints("perm") == Permutation{0, 2, 1, 3}) {
      match.out_rows_first = true;
      match.nodes.push_back(*user);
      match.output = graph.node(*user).outputs[0];
    }
  }
  return match;
}

}  // namespace

std::size_t fuse_attention(Graph& graph, std::int64_t opset) {
  std::size_t made = 0;
  for (const NodeId id : nodes_of(graph)) {
    if (!is_live(graph, id)) continue;
    const auto match = match_attention(graph, id, opset);
    if (!match) continue;
    replace(graph, match->nodes, fused::kAttention,
            {match->q.value, match->k.value, match->v.value, match->mask},
            {{"scale", static_cast<float>(match->scale)},
             {"q_rows_first", std::int64_t{match->q.rows_first}},
             {"k_rows_first", std::int64_t{match->k.rows_first}},
             {"v_rows_first", std::int64_t{match->v.rows_first}},
             {"out_rows_first", std::int64_t{match->out_rows_first}}},
            match->output);
    ++made;
  }
  return made;
}

}  // namespace onnxpress::exec
