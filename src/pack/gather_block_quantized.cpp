// SPDX-License-Identifier: Apache-2.0
#include "pack/gather_block_quantized.h"

#include <algorithm>
#include <string>
#include <utility>

#include "pack/block_codes.h"

namespace onnxpress {

BlockTable pack_block_table(Graph& graph, const QuantizedMatrix& q, std::string_view hint) {
  const std::string name(hint);
  BlockTensors tensors = to_blocks(q);
  BlockTable table{.group = q.grid.group, .bits = q.grid.bits};
  const std::int64_t bytes = tensors.codes.size() / std::max<std::int64_t>(q.out, 1);
  table.codes = graph.add_constant(name + "_q", tensors.codes.reshaped({q.out, bytes}));
  table.scales = graph.add_constant(name + "_scale", std::move(tensors.scales));
  if (tensors.zeros) table.zeros = graph.add_constant(name + "_zero", *std::move(tensors.zeros));
  return table;
}

void gather_rows(Graph& graph, const BlockTable& table, ValueId indices, ValueId output,
                 std::string_view hint) {
  Node node{.name = std::string(hint),
            .op_type = "GatherBlockQuantized",
            .domain = std::string(kContribDomain),
            .inputs = {table.codes, indices, table.scales},
            .outputs = {output},
            .attributes = {{"gather_axis", std::int64_t{0}},
                           {"quantize_axis", std::int64_t{1}},
                           {"bits", std::int64_t{table.bits}},
                           {"block_size", table.group}}};
  if (table.zeros != kNoValue) node.inputs.push_back(table.zeros);
  graph.add_node(std::move(node));
}

std::optional<QuantizedMatrix> unpack_block_table(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op_type != "GatherBlockQuantized" || node.domain != kContribDomain) return std::nullopt;
  const Tensor* codes = graph.constant(node.input(0));
  const Tensor* scales = graph.constant(node.input(2));
  const Tensor* zeros = graph.constant(node.input(3));
  if (codes == nullptr || scales == nullptr || codes->rank() != 2) return std::nullopt;
  if (node.input(3) != kNoValue && zeros == nullptr) return std::nullopt;
  const auto bits = node.attributes.get_int("bits", 4);
  const std::int64_t width = bits == 4 ? codes->dims()[1] * 2 : codes->dims()[1];
  return from_blocks(*codes, *scales, zeros, static_cast<int>(bits),
                     node.attributes.get_int("block_size", 0), width, codes->dims()[0]);
}

}  // namespace onnxpress
