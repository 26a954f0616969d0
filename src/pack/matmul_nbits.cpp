// SPDX-License-Identifier: Apache-2.0
#include "pack/matmul_nbits.h"

#include <string>
#include <utility>

namespace onnxpress {

NBitsWeight pack_matmul_nbits(Graph& graph, const QuantizedMatrix& q, std::string_view hint) {
  return pack_matmul_nbits(graph, to_blocks(q), q, hint);
}

NBitsWeight pack_matmul_nbits(Graph& graph, BlockTensors tensors, const QuantizedMatrix& q,
                              std::string_view hint) {
  const std::string name(hint);
  NBitsWeight w{.in = q.in, .out = q.out, .group = q.grid.group, .bits = q.grid.bits};
  w.codes = graph.add_constant(name + "_q", std::move(tensors.codes));
  w.scales = graph.add_constant(name + "_scale", std::move(tensors.scales));
  if (tensors.zeros) w.zeros = graph.add_constant(name + "_zero", *std::move(tensors.zeros));
  return w;
}

void n_bits_product(Graph& graph, ValueId x, const NBitsWeight& w, std::int64_t accuracy_level,
                    ValueId output, std::string_view hint) {
  Node node{.name = std::string(hint),
            .op_type = "MatMulNBits",
            .domain = std::string(kContribDomain),
            .inputs = {x, w.codes, w.scales},
            .outputs = {output},
            .attributes = {{"K", w.in},
                           {"N", w.out},
                           {"bits", std::int64_t{w.bits}},
                           {"block_size", w.group},
                           {"accuracy_level", accuracy_level}}};
  if (w.zeros != kNoValue) node.inputs.push_back(w.zeros);
  graph.add_node(std::move(node));
}

std::optional<QuantizedMatrix> unpack_matmul_nbits(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op_type != "MatMulNBits" || node.domain != kContribDomain) return std::nullopt;
  const Tensor* codes = graph.constant(node.input(1));
  const Tensor* scales = graph.constant(node.input(2));
  const Tensor* zeros = graph.constant(node.input(3));
  if (codes == nullptr || scales == nullptr) return std::nullopt;
  if ((node.input(3) != kNoValue && zeros == nullptr) || node.input(4) != kNoValue) {
    return std::nullopt;
  }
  const Attributes& a = node.attributes;
  return from_blocks(*codes, *scales, zeros, static_cast<int>(a.get_int("bits", 4)),
                     a.get_int("block_size", 0), a.get_int("K", 0), a.get_int("N", 0));
}

}  // namespace onnxpress
