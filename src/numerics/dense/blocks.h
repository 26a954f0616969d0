// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "numerics/weight_ref.h"

// Rounding of weights without data: loops over a few hundred of them, which compilers turn into
// vectors.
namespace onnxpress::dense {
namespace {

void widen_ranges(const UnalignedFloat* w, std::int64_t count, std::int32_t* magnitude_bits,
                  float* low, float* high) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = w[i];
    magnitude_bits[i] = std::max(magnitude_bits[i], std::bit_cast<std::int32_t>(x) & 0x7fffffff);
    low[i] = std::min(low[i], x);
    high[i] = std::max(high[i], x);
  }
}

void add_energies(const UnalignedFloat* w, std::int64_t count, double* largest, double* rest) {
  for (std::int64_t i = 0; i < count; ++i) {
    const double size = std::abs(static_cast<double>(w[i]));
    const double smaller = std::min(size, largest[i]);
    largest[i] = std::max(size, largest[i]);
    rest[i] += smaller * smaller;
  }
}

// To the nearest integer, ties to even, for magnitudes below 2²²: the sum has no bits left for
// fractions.
std::uint8_t code_of(float x, float scale, std::int32_t zero, std::int32_t top) {
  const std::int32_t code =
      std::bit_cast<std::int32_t>(x / scale + 12582912.0F) - 0x4b400000 + zero;
  return static_cast<std::uint8_t>(std::clamp(code, 0, top));
}

void round_block(const UnalignedFloat* w, std::int64_t count, float scale, std::int32_t zero,
                 std::int32_t top, std::uint8_t* codes) {
  for (std::int64_t i = 0; i < count; ++i) codes[i] = code_of(w[i], scale, zero, top);
}

void round_columns(const UnalignedFloat* w, std::int64_t count, const float* scales,
                   const std::int32_t* zeros, std::int32_t top, std::uint8_t* codes) {
  for (std::int64_t i = 0; i < count; ++i) codes[i] = code_of(w[i], scales[i], zeros[i], top);
}

}  // namespace
}  // namespace onnxpress::dense
