// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

// Conversions between float and the 16-bit formats, which are kept as raw bits. Rounding is to
// nearest even.
namespace onnxpress {

[[nodiscard]] float half_to_float(std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_half(float value);
[[nodiscard]] float bfloat16_to_float(std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_bfloat16(float value);

// Element by element; both spans have the same length.
void half_to_float(std::span<const std::uint16_t> bits, std::span<float> values);
void float_to_half(std::span<const float> values, std::span<std::uint16_t> bits);

}  // namespace onnxpress
