// SPDX-License-Identifier: Apache-2.0
#include "pack/gather_block_quantized.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "pack/block_codes.h"
#include "pack/codes.h"
#include "pack/storage.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kSmallestBlock = 16;

std::int64_t row_bytes(std::int64_t width, int bits) {
  return (width * bits + 7) / 8;
}

// Rows of `from` bytes cut, or filled up with zeros, to `to` bytes.
Tensor with_rows_of(const Tensor& codes, std::int64_t rows, std::int64_t from, std::int64_t to) {
  if (from == to) return codes.reshaped({rows, to});
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(rows * to));
  for (std::int64_t row = 0; row < rows; ++row) {
    std::copy_n(codes.as<std::uint8_t>().data() + row * from, std::min(from, to),
                bytes.data() + row * to);
  }
  return Tensor::of<std::uint8_t>({rows, to}, std::move(bytes));
}

Tensor to_float(const Tensor& scales) {
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(scales.size()));
  for (const double scale : scales.to_doubles()) values.push_back(static_cast<float>(scale));
  return Tensor::of<float>(scales.dims(), std::move(values));
}

}  // namespace

std::int64_t table_block(const Grid& grid, std::int64_t width) {
  if (grid.group != 0) return grid.group;
  const auto size = static_cast<std::uint64_t>(std::max(width, kSmallestBlock));
  return static_cast<std::int64_t>(std::bit_ceil(size));
}

std::optional<std::string> why_not_block_table(const Grid& grid, std::int64_t width) {
  Grid stored = grid;
  stored.group = table_block(grid, width);
  if (auto why = why_not_storable(Storage::gather_block_quantized, stored, 0)) return why;
  if (grid.bits == 4 && width % 2 != 0) return "its rows have an odd number of 4-bit codes";
  return std::nullopt;
}

std::int64_t block_table_bytes(const Grid& grid, std::int64_t width, std::int64_t rows,
                               DType scales) {
  const std::int64_t groups = grid.groups(width);
  const std::int64_t zeros = grid.symmetric ? 0 : row_bytes(groups, grid.bits);
  const std::int64_t scale_bytes = scales == DType::float32 ? 4 : 2;
  return rows * (row_bytes(width, grid.bits) + groups * scale_bytes + zeros);
}

BlockTable pack_block_table(Graph& graph, const QuantizedMatrix& matrix, std::string_view hint,
                            DType scales) {
  const std::string name(hint);
  QuantizedMatrix q = matrix;
  q.grid.group = table_block(q.grid, q.in);
  BlockTensors tensors = to_blocks(q);
  BlockTable table{.group = q.grid.group, .bits = q.grid.bits, .type = scales};
  const std::int64_t bytes = q.grid.groups(q.in) * (q.grid.group * q.grid.bits / 8);
  table.codes = graph.add_constant(
      name + "_q", with_rows_of(tensors.codes, q.out, bytes, row_bytes(q.in, q.grid.bits)));
  if (scales == DType::float16) tensors.scales = in_halves(tensors.scales);
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
  if (codes->dtype() != DType::uint8) return std::nullopt;
  const auto bits = node.attributes.get_int("bits", 4);
  const std::int64_t group = node.attributes.get_int("block_size", 0);
  if (bits != 4 && bits != 8) return std::nullopt;
  const std::int64_t stored = codes->dims()[1];
  const std::int64_t width = bits == 4 ? stored * 2 : stored;
  // Not much more than a row, which its last block is filled up to here.
  constexpr std::int64_t kLargestGroup = 256;
  const std::int64_t largest = std::max(kLargestGroup, table_block({}, width));
  if (group < kSmallestBlock || group > largest) return std::nullopt;
  const std::int64_t blocks = (width + group - 1) / group;
  const Tensor full = with_rows_of(*codes, codes->dims()[0], stored, blocks * (group * bits / 8));
  const bool half = scales->dtype() == DType::float16;
  return from_blocks(full, half ? to_float(*scales) : *scales, zeros, static_cast<int>(bits), group,
                     width, codes->dims()[0]);
}

}  // namespace onnxpress
