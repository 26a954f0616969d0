// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "exec/kernels/elementwise.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

struct IsEqual {
  template <class T>
  static bool apply(T a, T b) {
    return a == b;
  }
};
struct IsLess {
  template <class T>
  static bool apply(T a, T b) {
    return a < b;
  }
};
struct IsLessOrEqual {
  template <class T>
  static bool apply(T a, T b) {
    return a <= b;
  }
};
struct IsGreater {
  template <class T>
  static bool apply(T a, T b) {
    return a > b;
  }
};
struct IsGreaterOrEqual {
  template <class T>
  static bool apply(T a, T b) {
    return a >= b;
  }
};
struct Both {
  static bool apply(bool a, bool b) { return a && b; }
};
struct Either {
  static bool apply(bool a, bool b) { return a || b; }
};
struct OneOf {
  static bool apply(bool a, bool b) { return a != b; }
};

template <class Op>
void compare(KernelContext& c) {
  with_type<float, std::int64_t, std::int32_t, Half, BFloat16, double, std::int16_t, std::int8_t,
            std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t>(
      c.input(0).dtype, [&]<class T>() { binary<Op, T, bool>(c); });
}

void equal(KernelContext& c) {
  if (c.input(0).dtype == DType::boolean) return binary<IsEqual, bool>(c);
  compare<IsEqual>(c);
}
void less(KernelContext& c) {
  compare<IsLess>(c);
}
void less_or_equal(KernelContext& c) {
  compare<IsLessOrEqual>(c);
}
void greater(KernelContext& c) {
  compare<IsGreater>(c);
}
void greater_or_equal(KernelContext& c) {
  compare<IsGreaterOrEqual>(c);
}
void logical_and(KernelContext& c) {
  binary<Both, bool>(c);
}
void logical_or(KernelContext& c) {
  binary<Either, bool>(c);
}
void logical_xor(KernelContext& c) {
  binary<OneOf, bool>(c);
}
void logical_not(KernelContext& c) {
  map_elements<bool>(c, [](bool x) { return !x; });
}

void is_nan(KernelContext& c) {
  with_type<float, double, Half, BFloat16>(c.input(0).dtype, [&]<class T>() {
    map_elements<T, bool>(c, [](auto x) { return std::isnan(x); });
  });
}

void is_inf(KernelContext& c) {
  const bool positive = c.get_int("detect_positive", 1) != 0;
  const bool negative = c.get_int("detect_negative", 1) != 0;
  with_type<float, double, Half, BFloat16>(c.input(0).dtype, [&]<class T>() {
    map_elements<T, bool>(c,
                          [=](auto x) { return std::isinf(x) && (x > 0 ? positive : negative); });
  });
}

void where(KernelContext& c) {
  const TensorView &condition = c.input(0), &x = c.input(1), &y = c.input(2);
  if (x.dtype != y.dtype) throw Error(codes::graph_malformed, "both branches must have one type");
  const Extents dims = broadcast_shape(condition.dims, broadcast_shape(x.dims, y.dims));
  with_element_size(x.dtype, [&]<class U>() {
    const bool* choose = condition.as<bool>().data();
    const U *from_x = reinterpret_cast<const U*>(x.data),
            *from_y = reinterpret_cast<const U*>(y.data);
    U* out = reinterpret_cast<U*>(c.output(0, x.dtype, dims));
    const Broadcast walk(dims, {&condition.dims, &x.dims, &y.dims});
    const std::int64_t step = walk.inner_stride(0), step_x = walk.inner_stride(1),
                       step_y = walk.inner_stride(2);
    c.parallel_for(walk.size(), kElementwiseChunk, [&](std::int64_t begin, std::int64_t end) {
      walk.visit(begin, end, [&](std::int64_t at, const Broadcast::Offsets& from, std::int64_t n) {
        for (std::int64_t i = 0; i < n; ++i) {
          out[at + i] = choose[from[0] + i * step] ? from_x[from[1] + i * step_x]
                                                   : from_y[from[2] + i * step_y];
        }
      });
    });
  });
}

constexpr auto kBoolean = always<DType::boolean>;

constexpr KernelRow kRows[] = {
    {.op_type = "Equal", .since = 7, .run = equal, .output_type = kBoolean},
    {.op_type = "Less", .since = 7, .types = kNumbers, .run = less, .output_type = kBoolean},
    {.op_type = "LessOrEqual",
     .since = 12,
     .types = kNumbers,
     .run = less_or_equal,
     .output_type = kBoolean},
    {.op_type = "Greater", .since = 7, .types = kNumbers, .run = greater, .output_type = kBoolean},
    {.op_type = "GreaterOrEqual",
     .since = 12,
     .types = kNumbers,
     .run = greater_or_equal,
     .output_type = kBoolean},
    {.op_type = "And", .since = 7, .types = kBool, .run = logical_and, .in_place = 3},
    {.op_type = "Or", .since = 7, .types = kBool, .run = logical_or, .in_place = 3},
    {.op_type = "Xor", .since = 7, .types = kBool, .run = logical_xor, .in_place = 3},
    {.op_type = "Not", .types = kBool, .run = logical_not, .in_place = 1},
    {.op_type = "IsNaN", .since = 9, .types = kFloats, .run = is_nan, .output_type = kBoolean},
    {.op_type = "IsInf", .since = 10, .types = kFloats, .run = is_inf, .output_type = kBoolean},
    {.op_type = "Where", .since = 9, .type_input = 1, .run = where, .in_place = 6},
};

}  // namespace

KernelRows comparison_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
