// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace onnxpress {

// A bijection of 64-bit numbers that looks random (the finalizer of splitmix64, Steele, Lea and
// Flood 2014). The same on every machine.
[[nodiscard]] constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

}  // namespace onnxpress
