// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace onnxpress::exec {

// round(x) + zero, half to even, held within [low, high]. NaN becomes `zero`.
[[nodiscard]] inline std::int32_t rounded_within(float x, std::int32_t zero, std::int32_t low,
                                                 std::int32_t high) {
  if (std::isnan(x)) return std::clamp(zero, low, high);
  const double value = static_cast<double>(std::nearbyint(x)) + zero;
  return static_cast<std::int32_t>(
      std::clamp(value, static_cast<double>(low), static_cast<double>(high)));
}

// The same, held within what T can represent.
template <class T>
[[nodiscard]] T rounded(float x, std::int32_t zero) {
  return static_cast<T>(
      rounded_within(x, zero, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

}  // namespace onnxpress::exec
