// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/block_codes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"

namespace onnxpress::exec {
namespace {

struct Layout {
  std::int64_t k = 0, n = 0, block = 0, blocks = 0, block_bytes = 0, zero_bytes = 0;
  int bits = 4;

  explicit Layout(const Node& node)
      : k(node.attributes.get_int("K", 0)),
        n(node.attributes.get_int("N", 0)),
        block(node.attributes.get_int("block_size", 0)),
        bits(static_cast<int>(node.attributes.get_int("bits", 4))) {
    if (block < 1) return;
    blocks = k / block + (k % block != 0 ? 1 : 0);
    block_bytes = block * bits / 8;
    zero_bytes = (blocks * bits + 7) / 8;
  }
};

int code(const std::uint8_t* row, std::int64_t i, int bits) {
  const int in_byte = 8 / bits;
  return row[i / in_byte] >> (i % in_byte * bits) & ((1 << bits) - 1);
}

}  // namespace

std::optional<std::string> why_not_blocks(const Node& node, const Tensor* codes,
                                          const Tensor* scales, const Tensor* zeros,
                                          bool has_zeros) {
  const Layout w(node);
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  if (w.bits != 2 && w.bits != 4 && w.bits != 8) return fmt::format("{} bits", w.bits);
  if (w.k < 1 || w.n < 1 || w.k > kMost || w.n > kMost || w.block < 2 || w.block > kMost) {
    return fmt::format("K {}, N {}, block_size {}", w.k, w.n, w.block);
  }
  if (codes == nullptr || scales == nullptr || (has_zeros && zeros == nullptr)) {
    return "the weight is not constant";
  }
  if (scales->dtype() != DType::float32) return "scales are only of float32";
  const bool floats = has_zeros && zeros->dtype() == DType::float32;
  if (has_zeros && !floats && zeros->dtype() != DType::uint8) {
    return "zero points are only of uint8 or float32";
  }
  if (floats && w.bits != 4) return "float zero points are only for 4 bits";
  const auto row = checked_mul(w.blocks, w.block_bytes);
  const auto bytes = row ? checked_mul(*row, w.n) : std::nullopt;
  if (codes->dtype() != DType::uint8 || !bytes || codes->size() != *bytes ||
      scales->size() != w.blocks * w.n ||
      (has_zeros && zeros->size() != (floats ? w.blocks : w.zero_bytes) * w.n)) {
    return fmt::format("its tensors do not have the sizes of K {}, N {}, {} bits in blocks of {}",
                       w.k, w.n, w.bits, w.block);
  }
  return std::nullopt;
}

std::vector<float> dequantize_blocks(const Node& node, const Tensor& codes, const Tensor& scales,
                                     const Tensor* zeros) {
  constexpr std::int64_t kColumns = 16;  // of the result at a time: one cache line
  const Layout w(node);
  std::vector<float> values(static_cast<std::size_t>(w.k * w.n));
  const auto* all = codes.as<std::uint8_t>().data();
  const bool floats = zeros != nullptr && zeros->dtype() == DType::float32;
  const float* float_points = floats ? zeros->as<float>().data() : nullptr;
  const auto* points = zeros == nullptr || floats ? nullptr : zeros->as<std::uint8_t>().data();
  const auto zero_of = [&](std::int64_t o, std::int64_t b) {
    if (floats) return float_points[o * w.blocks + b];
    return static_cast<float>(points == nullptr ? 1 << (w.bits - 1)
                                                : code(points + o * w.zero_bytes, b, w.bits));
  };
  const float* factors = scales.as<float>().data();
  for (std::int64_t first = 0; first < w.n; first += kColumns) {
    const std::int64_t end = std::min(w.n, first + kColumns);
    for (std::int64_t i = 0; i < w.k; ++i) {
      const std::int64_t b = i / w.block;
      for (std::int64_t o = first; o < end; ++o) {
        const auto at = static_cast<float>(code(all + o * w.blocks * w.block_bytes, i, w.bits));
        values[static_cast<std::size_t>(i * w.n + o)] =
            (at - zero_of(o, b)) * factors[o * w.blocks + b];
      }
    }
  }
  return values;
}

}  // namespace onnxpress::exec
