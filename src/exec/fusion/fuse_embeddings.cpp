// SPDX-License-Identifier: Apache-2.0
// Gather(DequantizeLinear(codes, scale, zero; axis 0), i) and
// Mul(Cast(Gather(codes, i)), Unsqueeze(Gather(scale, i)))
#include <array>

#include "exec/fusion/fused_ops.h"
#include "exec/fusion/rewrite.h"

namespace onnxpress::exec {
namespace {

bool is_code(DType type) {
  return type == DType::int8 || type == DType::uint8;
}

const Tensor* table_of(const Graph& graph, ValueId codes) {
  const Tensor* table = graph.constant(codes);
  if (table == nullptr || table->rank() != 2 || !is_code(table->dtype())) return nullptr;
  return table;
}

bool is_per_row(const Graph& graph, ValueId id, std::int64_t rows, DType type) {
  const Tensor* values = graph.constant(id);
  return values != nullptr && values->dtype() == type && values->rank() <= 1 &&
         (values->size() == 1 || values->size() == rows);
}

bool gathers_rows(const Node& node) {
  return node.is("Gather") && node.attributes.get_int("axis", 0) == 0;
}

bool is_index(const Graph& graph, ValueId id) {
  const DType type = graph.value(id).dtype;
  return type == DType::int64 || type == DType::int32;
}

bool fuse_gathered_floats(Graph& graph, NodeId id) {
  const Node& gather = graph.node(id);
  const Node* dequantize = graph.producer(gather.input(0));
  if (!gathers_rows(gather) || dequantize == nullptr || !dequantize->is("DequantizeLinear")) {
    return false;
  }
  const Tensor* table = table_of(graph, dequantize->input(0));
  if (table == nullptr || !is_index(graph, gather.inputs[1])) return false;
  const std::int64_t rows = table->dims()[0];
  const ValueId scale = dequantize->input(1);
  const ValueId zero = dequantize->input(2);
  if (!is_per_row(graph, scale, rows, DType::float32)) return false;
  if (zero != kNoValue && !is_per_row(graph, zero, rows, table->dtype())) return false;
  const bool one_scale = graph.constant(scale)->size() == 1;
  if (!one_scale && dequantize->attributes.get_int("axis", 1) != 0) return false;
  if (dequantize->attributes.get_int("block_size", 0) != 0) return false;
  replace(graph, std::array{id}, fused::kGatherDequantized,
          {dequantize->inputs[0], scale, zero, gather.inputs[1]}, {}, gather.outputs[0]);
  return true;
}

bool unsqueezes_last(const Graph& graph, const Node& node) {
  if (!node.is("Unsqueeze")) return false;
  std::vector<std::int64_t> axes = node.attributes.get_ints("axes");
  if (const Tensor* given = graph.constant(node.input(1))) axes = given->to_int64s();
  return axes == std::vector<std::int64_t>{-1};
}

bool fuse_gathered_codes(Graph& graph, NodeId id) {
  const Node& mul = graph.node(id);
  if (!mul.is("Mul")) return false;
  for (const std::size_t side : {0U, 1U}) {
    const Node* cast = graph.producer(mul.input(side));
    const Node* unsqueeze = graph.producer(mul.input(1 - side));
    if (cast == nullptr || unsqueeze == nullptr || !cast->is("Cast") ||
        !unsqueezes_last(graph, *unsqueeze) ||
        cast->attributes.get_int("to", 0) != static_cast<std::int64_t>(DType::float32)) {
      continue;
    }
    const Node* codes = graph.producer(cast->input(0));
    const Node* scales = graph.producer(unsqueeze->input(0));
    if (codes == nullptr || scales == nullptr || !gathers_rows(*codes) || !gathers_rows(*scales) ||
        codes->inputs[1] != scales->inputs[1] || !is_index(graph, codes->inputs[1])) {
      continue;
    }
    const Tensor* table = table_of(graph, codes->inputs[0]);
    if (table == nullptr) continue;
    const Tensor* scale = graph.constant(scales->inputs[0]);
    if (scale == nullptr || scale->rank() != 1 || scale->size() != table->dims()[0] ||
        scale->dtype() != DType::float32) {
      continue;
    }
    replace(graph, std::array{id}, fused::kGatherDequantized,
            {codes->inputs[0], scales->inputs[0], kNoValue, codes->inputs[1]}, {}, mul.outputs[0]);
    return true;
  }
  return false;
}

}  // namespace

std::size_t fuse_embeddings(Graph& graph) {
  std::size_t made = 0;
  for (const NodeId id : nodes_of(graph)) {
    if (fuse_gathered_floats(graph, id) || fuse_gathered_codes(graph, id)) ++made;
  }
  return made;
}

}  // namespace onnxpress::exec
