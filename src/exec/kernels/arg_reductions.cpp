// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/axes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

template <class T, class Better>
void arg_best(KernelContext& c, const Better& better) {
  const TensorView& x = c.input(0);
  const std::size_t axis = normalized_axis(c.get_int("axis", 0), x.rank());
  const bool last = c.get_int("select_last_index", 0) != 0;
  const AxisView v = around_axis(x.dims, axis);
  Extents dims = x.dims;
  if (c.get_int("keepdims", 1) != 0) {
    dims[axis] = 1;
  } else {
    dims.erase(axis);
  }
  if (v.size == 0 && product(dims) != 0) {
    throw Error(codes::shape_mismatch, "there is no best element among none");
  }
  const T* from = x.as<T>().data();
  std::int64_t* to = c.output<std::int64_t>(0, dims).data();
  c.parallel_for(v.outer, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin * v.inner; at < end * v.inner; ++at) {
      const T* first = from + at / v.inner * v.size * v.inner + at % v.inner;
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < v.size; ++i) {
        const auto challenger = widen(first[i * v.inner]), champion = widen(first[best * v.inner]);
        if (better(challenger, champion) || (last && challenger == champion)) best = i;
      }
      to[at] = best;
    }
  });
}

template <class Better>
void arg_best_of_any(KernelContext& c, const Better& better) {
  with_type<float, Half, BFloat16, double, std::int64_t, std::int32_t, std::int8_t, std::uint8_t>(
      c.input(0).dtype, [&]<class T>() { arg_best<T>(c, better); });
}

void arg_max(KernelContext& c) {
  arg_best_of_any(c, [](auto a, auto b) { return a > b; });
}
void arg_min(KernelContext& c) {
  arg_best_of_any(c, [](auto a, auto b) { return a < b; });
}

constexpr TypeSet kTypes = kFloats | TypeSet{DType::int64, DType::int32, DType::int8, DType::uint8};

constexpr KernelRow kRows[] = {
    {.op_type = "ArgMax", .types = kTypes, .run = arg_max, .output_type = always<DType::int64>},
    {.op_type = "ArgMin", .types = kTypes, .run = arg_min, .output_type = always<DType::int64>},
};

}  // namespace

KernelRows arg_reduction_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
