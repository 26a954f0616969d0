// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "exec/kernels/elementwise.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

// Integers wrap around, as in NumPy: computed without sign, where that is defined.
template <class T, class Compute>
T wrapping(T a, T b, const Compute& compute) {
  if constexpr (std::is_integral_v<T>) {
    using Unsigned = std::make_unsigned_t<T>;
    const auto wide = compute(static_cast<std::uint64_t>(static_cast<Unsigned>(a)),
                              static_cast<std::uint64_t>(static_cast<Unsigned>(b)));
    return static_cast<T>(static_cast<Unsigned>(wide));
  } else {
    return compute(a, b);
  }
}

struct Plus {
  template <class T>
  static T apply(T a, T b) {
    return wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
};
struct Minus {
  template <class T>
  static T apply(T a, T b) {
    return wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
};
struct Times {
  template <class T>
  static T apply(T a, T b) {
    return wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};
struct Divide {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      if (b == -1) return Minus::apply(T{0}, a);  // the smallest number has no positive twin
    }
    return static_cast<T>(a / b);
  }
};
struct Smaller {
  template <class T>
  static T apply(T a, T b) {
    return a < b || a != a ? a : b;  // NaN wins
  }
};
struct Larger {
  template <class T>
  static T apply(T a, T b) {
    return a > b || a != a ? a : b;
  }
};
// The sign of the divisor, as in Python.
struct FloorModulo {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if constexpr (std::is_signed_v<T>) {
        if (b == -1) return 0;
      }
      const T rest = static_cast<T>(a % b);
      return rest != 0 && ((rest < 0) != (b < 0)) ? static_cast<T>(rest + b) : rest;
    } else {
      const T rest = std::fmod(a, b);
      return rest != 0 && ((rest < 0) != (b < 0)) ? rest + b : rest;
    }
  }
};
// The sign of the dividend, as in C.
struct TruncatedModulo {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if constexpr (std::is_signed_v<T>) {
        if (b == -1) return 0;
      }
      return static_cast<T>(a % b);
    } else {
      return std::fmod(a, b);
    }
  }
};
struct Power {
  template <class T>
  static T apply(T a, T b) {
    return std::pow(a, b);
  }
};

template <class Op>
void arithmetic(KernelContext& c) {
  with_type<float, Half, BFloat16, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
            std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t>(
      c.input(0).dtype, [&]<class T>() { binary<Op, T>(c); });
}

void refuse_zero_divisor(const TensorView& divisor) {
  if (is_float(divisor.dtype)) return;
  with_element_size(divisor.dtype, [&]<class U>() {
    const U* elements = reinterpret_cast<const U*>(divisor.data);
    if (std::find(elements, elements + divisor.size, U{0}) != elements + divisor.size) {
      throw Error(codes::graph_malformed, "integers are divided by zero");
    }
  });
}

void add(KernelContext& c) {
  arithmetic<Plus>(c);
}
void sub(KernelContext& c) {
  arithmetic<Minus>(c);
}
void mul(KernelContext& c) {
  arithmetic<Times>(c);
}
void div(KernelContext& c) {
  refuse_zero_divisor(c.input(1));
  arithmetic<Divide>(c);
}
void mod(KernelContext& c) {
  refuse_zero_divisor(c.input(1));
  if (c.get_int("fmod", 0) != 0) {
    arithmetic<TruncatedModulo>(c);
  } else {
    arithmetic<FloorModulo>(c);
  }
}

// x ^ n for a small whole n, by multiplication.
template <class T>
void whole_power(KernelContext& c, int n) {
  map_elements<T>(c, [n](Wide<T> x) { return n == 1 ? x : n == 2 ? x * x : x * x * x; });
}

template <class T>
void power(KernelContext& c) {
  const TensorView &base = c.input(0), &exponent = c.input(1);
  const double first =
      exponent.size == 1
          ? Tensor(exponent.dtype, {}, {exponent.data, exponent.byte_count()}, {}).to_doubles()[0]
          : 0.0;
  if constexpr (std::is_floating_point_v<Wide<T>>) {
    if (exponent.rank() <= base.rank() && (first == 1.0 || first == 2.0 || first == 3.0)) {
      return whole_power<T>(c, static_cast<int>(first));
    }
  }
  // Otherwise both operands are brought to a common type.
  using Common = std::conditional_t<std::is_same_v<Wide<T>, float>, float, double>;
  const Extents dims = broadcast_shape(base.dims, exponent.dims);
  const auto widened = [&](const TensorView& x) {
    const auto to = c.scratch<Common>(static_cast<std::size_t>(x.size));
    with_type<float, Half, BFloat16, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
              std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t>(x.dtype, [&]<class E>() {
      std::ranges::transform(x.as<E>(), to.begin(),
                             [](E e) { return static_cast<Common>(widen(e)); });
    });
    return to.data();
  };
  const Common *a = widened(base), *b = widened(exponent);
  const auto result = c.scratch<Common>(static_cast<std::size_t>(product(dims)));
  binary_elements<Power>(c, a, base.dims, b, exponent.dims, result.data(), dims);
  std::ranges::transform(result, c.output<T>(0, dims).begin(),
                         [](Common x) { return narrow<T>(static_cast<Wide<T>>(x)); });
}

void pow(KernelContext& c) {
  with_type<float, Half, BFloat16, double, std::int64_t, std::int32_t>(
      c.input(0).dtype, [&]<class T>() { power<T>(c); });
}

// Any number of inputs: the output collects one after the other.
template <class Op, class T>
T* collect(KernelContext& c) {
  Extents dims = c.input(0).dims;
  for (std::size_t i = 1; i < c.input_count(); ++i) dims = broadcast_shape(dims, c.input(i).dims);
  const TensorView& first = c.input(0);
  const T* a = first.as<T>().data();
  T* out = c.output<T>(0, dims).data();
  if (c.input_count() == 1) {
    if (out != a) std::copy_n(a, first.size, out);
    return out;
  }
  const TensorView& second = c.input(1);
  binary_elements<Op>(c, a, first.dims, second.as<T>().data(), second.dims, out, dims);
  for (std::size_t i = 2; i < c.input_count(); ++i) {
    const TensorView& next = c.input(i);
    binary_elements<Op>(c, out, dims, next.as<T>().data(), next.dims, out, dims);
  }
  return out;
}

template <class Op>
void variadic(KernelContext& c) {
  with_type<float, Half, BFloat16, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
            std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t>(
      c.input(0).dtype, [&]<class T>() { collect<Op, T>(c); });
}

void min(KernelContext& c) {
  variadic<Smaller>(c);
}
void max(KernelContext& c) {
  variadic<Larger>(c);
}
void sum(KernelContext& c) {
  with_type<float, double, Half, BFloat16>(c.input(0).dtype,
                                           [&]<class T>() { collect<Plus, T>(c); });
}
void mean(KernelContext& c) {
  with_type<float, double>(c.input(0).dtype, [&]<class T>() {
    T* const mean = collect<Plus, T>(c);
    Extents dims = c.input(0).dims;
    for (std::size_t i = 1; i < c.input_count(); ++i) dims = broadcast_shape(dims, c.input(i).dims);
    const T count = static_cast<T>(c.input_count());
    for (std::int64_t i = 0; i < product(dims); ++i) mean[i] /= count;
  });
}

constexpr TypeSet kPowTypes = kFloats | TypeSet{DType::int32, DType::int64};

constexpr KernelRow kRows[] = {
    {.op_type = "Add", .since = 7, .types = kNumbers, .run = add, .in_place = 3},
    {.op_type = "Sub", .since = 7, .types = kNumbers, .run = sub, .in_place = 3},
    {.op_type = "Mul", .since = 7, .types = kNumbers, .run = mul, .in_place = 3},
    {.op_type = "Div", .since = 7, .types = kNumbers, .run = div, .in_place = 3},
    {.op_type = "Mod", .since = 10, .types = kNumbers, .run = mod, .in_place = 3},
    {.op_type = "Pow", .since = 7, .types = kPowTypes, .run = pow, .in_place = 1},
    {.op_type = "Min", .since = 8, .types = kNumbers, .run = min, .in_place = 1},
    {.op_type = "Max", .since = 8, .types = kNumbers, .run = max, .in_place = 1},
    {.op_type = "Sum", .since = 8, .types = kFloats, .run = sum, .in_place = 1},
    {.op_type = "Mean",
     .since = 8,
     .types = TypeSet{DType::float32, DType::float64},
     .run = mean,
     .in_place = 1},
};

}  // namespace

KernelRows arithmetic_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
