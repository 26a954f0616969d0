// SPDX-License-Identifier: Apache-2.0
#include "pack/codes.h"

#include <memory>
#include <utility>

#include "base/half.h"

namespace onnxpress {
namespace {

Tensor own(DType type, const Dims& dims, std::vector<std::uint8_t> bytes) {
  auto owner = std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
  return {type, dims, std::as_bytes(std::span(*owner)), owner};
}

std::vector<std::uint8_t> pack_nibbles(const std::vector<std::uint8_t>& codes) {
  std::vector<std::uint8_t> packed((codes.size() + 1) / 2);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    packed[i / 2] = static_cast<std::uint8_t>(packed[i / 2] | (codes[i] & 15U) << (i % 2 * 4));
  }
  return packed;
}

}  // namespace

Tensor codes_tensor(const Grid& grid, const Dims& dims, std::vector<std::uint8_t> codes) {
  // In two's complement modulo 256 (or 16), subtracting the offset is the signed code.
  if (grid.symmetric) {
    const auto offset = static_cast<std::uint8_t>(grid.offset());
    for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(code - offset);
  }
  if (grid.bits <= 4) {
    return own(grid.symmetric ? DType::int4 : DType::uint4, dims, pack_nibbles(codes));
  }
  return own(grid.symmetric ? DType::int8 : DType::uint8, dims, std::move(codes));
}

std::optional<StoredCodes> stored_codes(const Tensor& tensor) {
  const DType type = tensor.dtype();
  const bool nibbles = type == DType::int4 || type == DType::uint4;
  if (!nibbles && type != DType::int8 && type != DType::uint8) return std::nullopt;
  StoredCodes stored;
  stored.bits = nibbles ? 4 : 8;
  stored.is_signed = type == DType::int4 || type == DType::int8;
  stored.codes.resize(static_cast<std::size_t>(tensor.size()));
  const std::uint8_t flip = !stored.is_signed ? 0 : nibbles ? 8 : 128;
  for (std::size_t i = 0; i < stored.codes.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(tensor.bytes()[nibbles ? i / 2 : i]);
    const int code = nibbles ? (byte >> (i % 2 * 4)) & 15 : byte;
    stored.codes[i] = static_cast<std::uint8_t>(code ^ flip);
  }
  return stored;
}

Tensor in_halves(const Tensor& floats) {
  std::vector<Half> halves;
  halves.reserve(static_cast<std::size_t>(floats.size()));
  for (const float value : floats.as<float>()) halves.push_back({float_to_half(value)});
  return Tensor::of<Half>(floats.dims(), std::move(halves));
}

}  // namespace onnxpress
