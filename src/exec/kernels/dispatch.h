// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <type_traits>

#include "base/error_codes.h"
#include "base/half.h"
#include "ir/dtype.h"

// From element types known at run time to C++ types.
namespace onnxpress::exec {

// Calls body.operator()<T>() for the one of Ts that is `dtype`.
//
//   with_type<float, double>(x.dtype, [&]<class T>() { copy(x.as<T>(), c.output<T>(0, x.dims)); });
template <class... Ts, class Body>
void with_type(DType dtype, const Body& body) {
  const bool found = ((dtype == dtype_of<Ts> && (body.template operator()<Ts>(), true)) || ...);
  if (!found) {
    throw Error(codes::unsupported_type, fmt::format("elements of type {}", name(dtype)));
  }
}

// For operators that move elements without looking at them: an unsigned type of the same size.
template <class Body>
void with_element_size(DType dtype, const Body& body) {
  switch (bits(dtype)) {
    case 8:
      return body.template operator()<std::uint8_t>();
    case 16:
      return body.template operator()<std::uint16_t>();
    case 32:
      return body.template operator()<std::uint32_t>();
    case 64:
      return body.template operator()<std::uint64_t>();
    default:
      throw Error(codes::unsupported_type, fmt::format("elements of type {}", name(dtype)));
  }
}

// The type to compute with: float for the 16-bit formats, otherwise the type itself.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>;
template <class T>
inline constexpr bool kIsWide = std::is_same_v<T, Wide<T>>;

template <class T>
[[nodiscard]] Wide<T> widen(T value) {
  if constexpr (std::is_same_v<T, Half>) {
    return half_to_float(value.bits);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return bfloat16_to_float(value.bits);
  } else {
    return value;
  }
}

template <class T>
[[nodiscard]] T narrow(Wide<T> value) {
  if constexpr (std::is_same_v<T, Half>) {
    return {float_to_half(value)};
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return {float_to_bfloat16(value)};
  } else {
    return value;
  }
}

}  // namespace onnxpress::exec
