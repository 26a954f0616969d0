// SPDX-License-Identifier: Apache-2.0
#include "base/half.h"

#include <Eigen/Core>
#include <algorithm>

namespace onnxpress {

float half_to_float(std::uint16_t bits) {
  return Eigen::half_impl::half_to_float(Eigen::half_impl::raw_uint16_to_half(bits));
}

std::uint16_t float_to_half(float value) {
  return Eigen::half_impl::float_to_half_rtne(value).x;
}

float bfloat16_to_float(std::uint16_t bits) {
  return Eigen::bfloat16_impl::bfloat16_to_float(
      Eigen::bfloat16_impl::raw_uint16_to_bfloat16(bits));
}

std::uint16_t float_to_bfloat16(float value) {
  return Eigen::bfloat16_impl::float_to_bfloat16_rtne<false>(value).value;
}

void half_to_float(std::span<const std::uint16_t> bits, std::span<float> values) {
  std::transform(bits.begin(), bits.end(), values.begin(),
                 [](std::uint16_t b) { return half_to_float(b); });
}

void float_to_half(std::span<const float> values, std::span<std::uint16_t> bits) {
  std::transform(values.begin(), values.end(), bits.begin(),
                 [](float v) { return float_to_half(v); });
}

}  // namespace onnxpress
