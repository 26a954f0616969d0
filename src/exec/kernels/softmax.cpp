// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "exec/kernels/axes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

// Up to opset 12 everything from `axis` on is one row; since then only the axis itself.
AxisView rows(const KernelContext& c) {
  const Extents& dims = c.input(0).dims;
  if (dims.empty()) return {};
  if (c.opset() >= 13)
    return around_axis(dims, normalized_axis(c.get_int("axis", -1), dims.rank()));
  const std::size_t axis = normalized_axis(c.get_int("axis", 1), dims.rank());
  return {product(dims, 0, axis), product(dims, axis, dims.size()), 1};
}

template <class T>
void softmax(KernelContext& c, bool log) {
  using W = Wide<T>;
  const TensorView& x = c.input(0);
  const AxisView v = rows(c);
  const T* from = x.as<T>().data();
  T* to = c.output<T>(0, x.dims).data();
  c.parallel_for(v.outer * v.inner, 32, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t first = row / v.inner * v.size * v.inner + row % v.inner;
      W largest = -std::numeric_limits<W>::infinity();
      for (std::int64_t i = 0; i < v.size; ++i) {
        largest = std::max(largest, widen(from[first + i * v.inner]));
      }
      // Exponentials are kept where the output will be, unless 16 bits would round them.
      double sum = 0;
      for (std::int64_t i = 0; i < v.size; ++i) {
        const W power = std::exp(widen(from[first + i * v.inner]) - largest);
        sum += static_cast<double>(power);
        if constexpr (kIsWide<T>) {
          if (!log) to[first + i * v.inner] = power;
        }
      }
      const W log_sum = static_cast<W>(std::log(sum)), whole = static_cast<W>(sum);
      for (std::int64_t i = 0; i < v.size; ++i) {
        T& y = to[first + i * v.inner];
        if (kIsWide<T> && !log) {
          y = narrow<T>(widen(y) / whole);
          continue;
        }
        const W shifted = widen(from[first + i * v.inner]) - largest;
        y = narrow<T>(log ? shifted - log_sum : std::exp(shifted) / whole);
      }
    }
  });
}

void softmax(KernelContext& c) {
  with_type<float, Half, BFloat16, double>(c.input(0).dtype,
                                           [&]<class T>() { softmax<T>(c, false); });
}
void log_softmax(KernelContext& c) {
  with_type<float, Half, BFloat16, double>(c.input(0).dtype,
                                           [&]<class T>() { softmax<T>(c, true); });
}

constexpr KernelRow kRows[] = {
    {.op_type = "Softmax", .types = kFloats, .run = softmax, .in_place = 1},
    {.op_type = "LogSoftmax", .types = kFloats, .run = log_softmax, .in_place = 1},
};

}  // namespace

KernelRows softmax_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
