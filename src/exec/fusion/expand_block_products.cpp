// SPDX-License-Identifier: Apache-2.0
// MatMulNBits(x, codes, scales, zeros) → MatMul(x, weight): the weight is unpacked once, so that
// the product is fused and computed like any other.
#include "exec/fusion/rewrite.h"
#include "exec/kernels/block_codes.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {

std::size_t expand_block_products(Graph& graph) {
  std::size_t expanded = 0;
  for (const NodeId id : nodes_of(graph)) {
    const Node node = graph.node(id);
    if (node.op_type != "MatMulNBits" || node.domain != kContribDomain) continue;
    if (!is_float32(graph, node.input(0)) || node.input(4) != kNoValue ||
        node.input(5) != kNoValue) {
      continue;
    }
    const Tensor* codes = graph.constant(node.input(1));
    const Tensor* scales = graph.constant(node.input(2));
    const Tensor* zeros = graph.constant(node.input(3));
    if (why_not_blocks(node, codes, scales, zeros, node.input(3) != kNoValue)) continue;
    const Dims dims{node.attributes.get_int("K", 0), node.attributes.get_int("N", 0)};
    const ValueId weight = graph.add_constant(
        graph.value(node.inputs[1]).name + "_dequantized",
        Tensor::of<float>(dims, dequantize_blocks(node, *codes, *scales, zeros)));
    graph.erase(id);
    graph.add_node({.name = node.name,
                    .op_type = "MatMul",
                    .domain = "",
                    .inputs = {node.inputs[0], weight},
                    .outputs = {node.outputs[0]}});
    ++expanded;
  }
  if (expanded > 0) graph.sort();
  return expanded;
}

}  // namespace onnxpress::exec
