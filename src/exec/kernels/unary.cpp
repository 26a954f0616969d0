// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "exec/kernels/elementwise.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

// Operators of floating-point numbers only.
template <class Apply>
void map_floats(KernelContext& c, const Apply& apply) {
  with_type<float, Half, BFloat16, double>(c.input(0).dtype,
                                           [&]<class T>() { map_elements<T>(c, apply); });
}

template <class Apply>
void map_numbers(KernelContext& c, const Apply& apply) {
  with_type<float, Half, BFloat16, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
            std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t>(
      c.input(0).dtype, [&]<class T>() { map_elements<T>(c, apply); });
}

void abs(KernelContext& c) {
  map_numbers(c, []<class T>(T x) -> T {
    if constexpr (std::is_floating_point_v<T>) return std::fabs(x);
    return x < T{0}
               ? static_cast<T>(
                     T{0} -
                     static_cast<
                         std::make_unsigned_t<std::conditional_t<std::is_integral_v<T>, T, int>>>(
                         x))
               : x;
  });
}
void neg(KernelContext& c) {
  map_numbers(c, []<class T>(T x) -> T {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(0U - static_cast<std::make_unsigned_t<T>>(x));
    } else {
      return -x;
    }
  });
}
void sign(KernelContext& c) {
  map_numbers(c, []<class T>(T x) { return static_cast<T>((T{0} < x) - (x < T{0})); });
}

void sqrt(KernelContext& c) {
  map_floats(c, [](auto x) { return std::sqrt(x); });
}
void reciprocal(KernelContext& c) {
  map_floats(c, [](auto x) { return 1 / x; });
}
void exp(KernelContext& c) {
  map_floats(c, [](auto x) { return std::exp(x); });
}
void log(KernelContext& c) {
  map_floats(c, [](auto x) { return std::log(x); });
}
void erf(KernelContext& c) {
  map_floats(c, [](auto x) { return std::erf(x); });
}
void sin(KernelContext& c) {
  map_floats(c, [](auto x) { return std::sin(x); });
}
void cos(KernelContext& c) {
  map_floats(c, [](auto x) { return std::cos(x); });
}
void tan(KernelContext& c) {
  map_floats(c, [](auto x) { return std::tan(x); });
}
void tanh(KernelContext& c) {
  map_floats(c, [](auto x) { return std::tanh(x); });
}
void floor(KernelContext& c) {
  map_floats(c, [](auto x) { return std::floor(x); });
}
void ceil(KernelContext& c) {
  map_floats(c, [](auto x) { return std::ceil(x); });
}
// Half-way cases go to the even neighbour.
void round(KernelContext& c) {
  map_floats(c, [](auto x) { return std::nearbyint(x); });
}

constexpr KernelRow kRows[] = {
    {.op_type = "Abs", .since = 6, .types = kNumbers, .run = abs, .in_place = 1},
    {.op_type = "Neg", .since = 6, .types = kFloats | kSigned, .run = neg, .in_place = 1},
    {.op_type = "Sign", .since = 9, .types = kNumbers, .run = sign, .in_place = 1},
    {.op_type = "Sqrt", .since = 6, .types = kFloats, .run = sqrt, .in_place = 1},
    {.op_type = "Reciprocal", .since = 6, .types = kFloats, .run = reciprocal, .in_place = 1},
    {.op_type = "Exp", .since = 6, .types = kFloats, .run = exp, .in_place = 1},
    {.op_type = "Log", .since = 6, .types = kFloats, .run = log, .in_place = 1},
    {.op_type = "Erf", .since = 9, .types = kFloats, .run = erf, .in_place = 1},
    {.op_type = "Sin", .since = 7, .types = kFloats, .run = sin, .in_place = 1},
    {.op_type = "Cos", .since = 7, .types = kFloats, .run = cos, .in_place = 1},
    {.op_type = "Tan", .since = 7, .types = kFloats, .run = tan, .in_place = 1},
    {.op_type = "Tanh", .since = 6, .types = kFloats, .run = tanh, .in_place = 1},
    {.op_type = "Floor", .since = 6, .types = kFloats, .run = floor, .in_place = 1},
    {.op_type = "Ceil", .since = 6, .types = kFloats, .run = ceil, .in_place = 1},
    {.op_type = "Round", .since = 11, .types = kFloats, .run = round, .in_place = 1},
};

}  // namespace

KernelRows unary_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
