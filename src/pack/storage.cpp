// SPDX-License-Identifier: Apache-2.0
#include "pack/storage.h"

#include <array>

#include <fmt/format.h>

namespace onnxpress {
namespace {

constexpr std::array kStorages{Storage::qdq, Storage::integer};

std::optional<std::string> why_not_qdq(const Grid& grid, std::int64_t opset) {
  if (opset < 13) {
    return fmt::format("a scale per channel needs opset 13, the model has {}", opset);
  }
  if (grid.bits > 4 && grid.group == 0) return std::nullopt;
  if (opset < 21) {
    return fmt::format("{} needs opset 21, the model has {}", to_string(grid), opset);
  }
  return std::nullopt;
}

std::optional<std::string> why_not_integer(const Grid& grid, std::int64_t opset) {
  if (opset < 11) {
    return fmt::format("DynamicQuantizeLinear needs opset 11, the model has {}", opset);
  }
  if (grid.group != 0) return "an integer product needs one scale for a whole output channel";
  if (!grid.symmetric) return "an integer product needs symmetric weights";
  return std::nullopt;
}

}  // namespace

std::string_view name(Storage storage) {
  return storage == Storage::qdq ? "qdq" : "integer";
}

std::span<const Storage> all_storages() {
  return kStorages;
}

std::optional<std::string> why_not_storable(Storage storage, const Grid& grid, std::int64_t opset) {
  return storage == Storage::qdq ? why_not_qdq(grid, opset) : why_not_integer(grid, opset);
}

std::int64_t stored_bytes(Storage storage, const Grid& grid, std::int64_t in, std::int64_t out) {
  const std::int64_t scales = grid.groups(in) * out;
  const bool packed = storage == Storage::qdq && grid.bits <= 4;
  const auto bytes = [&](std::int64_t count) { return packed ? (count + 1) / 2 : count; };
  return bytes(in * out) + scales * 4 + (grid.symmetric ? 0 : bytes(scales));
}

}  // namespace onnxpress
