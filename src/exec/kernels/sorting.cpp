// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "exec/kernels/axes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

template <class T>
void top_k(KernelContext& c, std::int64_t k) {
  const TensorView& x = c.input(0);
  const std::size_t axis = normalized_axis(c.get_int("axis", -1), x.rank());
  const bool largest = c.get_int("largest", 1) != 0;
  const AxisView v = around_axis(x.dims, axis);
  if (k < 0 || k > v.size) {
    throw Error(codes::shape_mismatch, fmt::format("the best {} of {}", k, v.size));
  }
  Extents dims = x.dims;
  dims[axis] = k;
  const auto order = c.scratch<std::int64_t>(static_cast<std::size_t>(v.size));
  T* values = c.output<T>(0, dims).data();
  std::int64_t* places = c.output<std::int64_t>(1, dims).data();
  for (std::int64_t at = 0; at < v.outer * v.inner; ++at) {
    const std::int64_t outer = at / v.inner, inner = at % v.inner;
    const T* from = x.as<T>().data() + outer * v.size * v.inner + inner;
    std::iota(order.begin(), order.end(), std::int64_t{0});
    // Of equal elements the first comes first.
    std::partial_sort(
        order.begin(), order.begin() + k, order.end(), [&](std::int64_t a, std::int64_t b) {
          const auto left = widen(from[a * v.inner]), right = widen(from[b * v.inner]);
          if (left != right) return largest ? left > right : left < right;
          return a < b;
        });
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t to = (outer * k + i) * v.inner + inner;
      places[to] = order[static_cast<std::size_t>(i)];
      values[to] = from[places[to] * v.inner];
    }
  }
}

// k is an attribute up to opset 9 and an input since.
void top_k(KernelContext& c) {
  const std::int64_t k = c.opset() < 10 ? c.node().attributes.require_int("k") : int_value(c, 1);
  with_type<float, Half, BFloat16, double, std::int64_t, std::int32_t, std::int8_t, std::uint8_t>(
      c.input(0).dtype, [&]<class T>() { top_k<T>(c, k); });
}
DType top_k_type(const NodeInfo& info, std::size_t i) {
  return i == 0 ? info.type(0) : DType::int64;
}

std::optional<std::string> refuse_missing_outputs(const NodeInfo& info) {
  if (info.node.outputs.size() == 2 && info.node.outputs[0] != kNoValue &&
      info.node.outputs[1] != kNoValue) {
    return std::nullopt;
  }
  return "with fewer than two outputs";
}

void non_zero(KernelContext& c) {
  const TensorView& x = c.input(0);
  with_type<float, bool, std::int64_t, std::int32_t, std::uint8_t, std::int8_t, double>(
      x.dtype, [&]<class T>() {
        const auto all = x.as<T>();
        const auto zero = static_cast<T>(0);
        const std::int64_t count = x.size - std::count(all.begin(), all.end(), zero);
        const auto to = c.output<std::int64_t>(0, {x.rank(), count});
        std::int64_t found = 0;
        for (std::int64_t at = 0; at < x.size; ++at) {
          if (all[static_cast<std::size_t>(at)] == zero) continue;
          std::int64_t rest = at;
          for (std::size_t d = x.dims.size(); d-- > 0;) {
            to[d * static_cast<std::size_t>(count) + static_cast<std::size_t>(found)] =
                rest % x.dims[d];
            rest /= x.dims[d];
          }
          ++found;
        }
      });
}

void cum_sum(KernelContext& c) {
  const TensorView& x = c.input(0);
  const std::size_t axis = normalized_axis(int_value(c, 1), x.rank());
  const bool exclusive = c.get_int("exclusive", 0) != 0, reverse = c.get_int("reverse", 0) != 0;
  const AxisView v = around_axis(x.dims, axis);
  with_type<float, double, Half, BFloat16, std::int64_t, std::int32_t>(x.dtype, [&]<class T>() {
    const T* from = x.as<T>().data();
    T* to = c.output<T>(0, x.dims).data();
    for (std::int64_t at = 0; at < v.outer * v.inner; ++at) {
      const std::int64_t first = at / v.inner * v.size * v.inner + at % v.inner;
      Wide<T> sum{};
      for (std::int64_t i = 0; i < v.size; ++i) {
        const std::int64_t place = first + (reverse ? v.size - 1 - i : i) * v.inner;
        const Wide<T> term = widen(from[place]);
        if (exclusive) to[place] = narrow<T>(sum);
        sum += term;
        if (!exclusive) to[place] = narrow<T>(sum);
      }
    }
  });
}

constexpr TypeSet kSummed = kFloats | TypeSet{DType::int64, DType::int32};
constexpr TypeSet kSorted = kSummed | TypeSet{DType::int8, DType::uint8};
constexpr TypeSet kCounted{DType::float32, DType::float64, DType::boolean, DType::int64,
                           DType::int32,   DType::uint8,   DType::int8};

constexpr KernelRow kRows[] = {
    {.op_type = "TopK",
     .types = kSorted,
     .run = top_k,
     .refuses = refuse_missing_outputs,
     .output_type = top_k_type,
     .shape_inputs = 2},
    {.op_type = "NonZero",
     .since = 9,
     .types = kCounted,
     .run = non_zero,
     .output_type = always<DType::int64>,
     .shape_inputs = 1},
    {.op_type = "CumSum", .since = 11, .types = kSummed, .run = cum_sum, .in_place = 1},
};

}  // namespace

KernelRows sorting_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
