// SPDX-License-Identifier: Apache-2.0
#include "pack/storage.h"

#include <array>

#include <fmt/format.h>

#include "pack/gather_block_quantized.h"

namespace onnxpress {
namespace {

constexpr std::array kStorages{Storage::qdq, Storage::integer, Storage::matmul_nbits,
                               Storage::gather_block_quantized};

std::optional<std::string> why_not_qdq(const Grid& grid, std::int64_t opset) {
  if (grid.float_zeros) return "DequantizeLinear has no float zero points";
  if (grid.per_tensor) return "only products of integers have one scale for the whole weight";
  const std::int64_t needed = needed_opset(Storage::qdq, grid);
  if (opset >= needed) return std::nullopt;
  return fmt::format("{} needs opset {}, the model has {}", to_string(grid), needed, opset);
}

std::optional<std::string> why_not_integer(const Grid& grid, std::int64_t opset) {
  if (opset < 11) {
    return fmt::format("DynamicQuantizeLinear needs opset 11, the model has {}", opset);
  }
  if (grid.group != 0) return "an integer product needs one scale for a whole output channel";
  if (!grid.symmetric) return "an integer product needs symmetric weights";
  return std::nullopt;
}

std::optional<std::string> why_not_blocks(const Grid& grid, bool product) {
  if (grid.bits != 4 && grid.bits != 8 && !(grid.bits == 2 && product)) {
    return fmt::format("its codes have {}4 or 8 bits", product ? "2, " : "");
  }
  if (grid.float_zeros && !(grid.bits == 4 && product)) {
    return "zero points are floats only in MatMulNBits with 4 bits";
  }
  const bool power_of_two = (grid.group & (grid.group - 1)) == 0;
  if (grid.group < 16 || !power_of_two) {
    return fmt::format("its groups are powers of two from 16 on, not {}", grid.group);
  }
  return std::nullopt;
}

}  // namespace

std::int64_t needed_opset(Storage storage, const Grid& grid) {
  switch (storage) {
    case Storage::qdq:
      return grid.bits > 4 && grid.group == 0 ? 13 : 21;
    case Storage::integer:
      return 11;
    case Storage::matmul_nbits:
    case Storage::gather_block_quantized:
      return 0;
  }
  return 0;
}

std::string_view name(Storage storage) {
  switch (storage) {
    case Storage::qdq:
      return "qdq";
    case Storage::integer:
      return "integer";
    case Storage::matmul_nbits:
      return "matmul_nbits";
    case Storage::gather_block_quantized:
      return "gather_block_quantized";
  }
  return "";
}

std::optional<Storage> parse_storage(std::string_view text) {
  for (const Storage storage : kStorages) {
    if (name(storage) == text) return storage;
  }
  return std::nullopt;
}

std::span<const Storage> all_storages() {
  return kStorages;
}

std::optional<std::string> why_not_storable(Storage storage, const Grid& grid, std::int64_t opset) {
  switch (storage) {
    case Storage::qdq:
      return why_not_qdq(grid, opset);
    case Storage::integer:
      return why_not_integer(grid, opset);
    case Storage::matmul_nbits:
      return why_not_blocks(grid, true);
    case Storage::gather_block_quantized:
      return why_not_blocks(grid, false);
  }
  return std::nullopt;
}

std::int64_t stored_bytes(Storage storage, const Grid& grid, std::int64_t in, std::int64_t out) {
  const std::int64_t groups = grid.groups(in);
  const std::int64_t scales = grid.per_tensor ? 1 : groups * out;
  if (storage == Storage::gather_block_quantized) return block_table_bytes(grid, in, out);
  if (storage == Storage::matmul_nbits) {
    const std::int64_t zeros = grid.symmetric     ? 0
                               : grid.float_zeros ? groups * 4
                                                  : (groups * grid.bits + 7) / 8;
    return out * (groups * (grid.group * grid.bits / 8) + groups * 4 + zeros);
  }
  if (storage == Storage::integer) return in * out + scales * 4 + (grid.symmetric ? 0 : 1);
  const bool packed = storage == Storage::qdq && grid.bits <= 4;
  const auto bytes = [&](std::int64_t count) { return packed ? (count + 1) / 2 : count; };
  return bytes(in * out) + scales * 4 + (grid.symmetric ? 0 : bytes(scales));
}

}  // namespace onnxpress
