// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "exec/kernels/axes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

void constant_of_shape(KernelContext& c) {
  const Extents dims = int_values(c, 0);
  const Tensor* value = c.node().attributes.get_tensor("value");
  if (value == nullptr) {
    std::ranges::fill(c.output<float>(0, dims), 0.0F);
    return;
  }
  if (value->size() != 1) {
    throw Error(codes::attribute_malformed, "attribute \"value\" must have one element");
  }
  std::byte* to = c.output(0, value->dtype(), dims);
  with_element_size(value->dtype(), [&]<class U>() {
    U element;
    std::memcpy(&element, value->bytes().data(), sizeof(U));
    std::fill_n(reinterpret_cast<U*>(to), product(dims), element);
  });
}
DType constant_of_shape_type(const NodeInfo& info, std::size_t /*output*/) {
  const Tensor* value = info.node.attributes.get_tensor("value");
  return value == nullptr ? DType::float32 : value->dtype();
}

template <class T>
void fill_range(KernelContext& c) {
  const T start = c.input(0).as<T>()[0], limit = c.input(1).as<T>()[0],
          delta = c.input(2).as<T>()[0];
  if (delta == 0) throw Error(codes::shape_mismatch, "a range can't step by 0");
  const double steps = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                                 static_cast<double>(delta));
  if (!(steps < 9e15)) throw Error(codes::out_of_memory, "a range without end");
  const auto count = static_cast<std::int64_t>(std::max(0.0, steps));
  const auto to = c.output<T>(0, {count});
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = static_cast<T>(start + static_cast<T>(i) * delta);
}
void range(KernelContext& c) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (c.input(i).size != 1)
      throw Error(codes::shape_mismatch, "a range is made of three scalars");
  }
  with_type<std::int64_t, std::int32_t, std::int16_t, float, double>(
      c.input(0).dtype, [&]<class T>() { fill_range<T>(c); });
}

// Keeps the elements on and above (or below) the k-th diagonal of the last two dimensions.
void trilu(KernelContext& c) {
  const TensorView& x = c.input(0);
  if (x.rank() < 2) throw Error(codes::shape_mismatch, "needs at least two dimensions");
  const std::int64_t k = c.has_input(1) ? int_value(c, 1) : 0;
  const bool upper = c.get_int("upper", 1) != 0;
  const std::int64_t columns = x.dims.back(), rows = x.dims[x.dims.size() - 2];
  std::byte* to = c.output(0, x.dtype, x.dims);
  with_element_size(x.dtype, [&]<class U>() {
    const U* from = reinterpret_cast<const U*>(x.data);
    U* out = reinterpret_cast<U*>(to);
    for (std::int64_t at = 0; at < x.size; ++at) {
      const std::int64_t column = at % columns, row = at / columns % rows;
      const bool keep = upper ? column - row >= k : column - row <= k;
      out[at] = keep ? from[at] : U{0};
    }
  });
}

void eye_like(KernelContext& c) {
  const TensorView& x = c.input(0);
  if (x.rank() != 2) throw Error(codes::shape_mismatch, "needs two dimensions");
  const auto type = static_cast<DType>(c.get_int("dtype", static_cast<std::int64_t>(x.dtype)));
  const std::int64_t k = c.get_int("k", 0);
  with_type<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int8_t, std::uint8_t,
            bool>(type, [&]<class T>() {
    const auto to = c.output<T>(0, x.dims);
    for (std::int64_t at = 0; at < x.size; ++at) {
      const bool one = at % x.dims[1] - at / x.dims[1] == k;
      to[static_cast<std::size_t>(at)] = narrow<T>(static_cast<Wide<T>>(one ? 1 : 0));
    }
  });
}
DType eye_like_type(const NodeInfo& info, std::size_t /*output*/) {
  const auto fallback = static_cast<std::int64_t>(info.type(0));
  return static_cast<DType>(info.node.attributes.get_int("dtype", fallback));
}

void one_hot(KernelContext& c) {
  const TensorView &indices = c.input(0), &values = c.input(2);
  const TensorView& depth_input = c.input(1);
  std::int64_t depth = 0;
  with_type<std::int64_t, std::int32_t, float>(depth_input.dtype, [&]<class T>() {
    if (depth_input.size != 1) throw Error(codes::shape_mismatch, "depth must be a scalar");
    depth = static_cast<std::int64_t>(depth_input.as<T>()[0]);
  });
  if (values.size != 2) throw Error(codes::shape_mismatch, "values must be [off, on]");
  const std::size_t axis = normalized_axis(c.get_int("axis", -1), indices.rank() + 1);
  Extents dims = indices.dims;
  dims.insert(axis, depth);
  std::byte* to = c.output(0, values.dtype, dims);
  const AxisView v = around_axis(dims, axis);
  with_element_size(values.dtype, [&]<class U>() {
    const U* choice = reinterpret_cast<const U*>(values.data);
    U* out = reinterpret_cast<U*>(to);
    std::fill_n(out, product(dims), choice[0]);
    with_type<std::int64_t, std::int32_t, float>(indices.dtype, [&]<class I>() {
      const auto all = indices.as<I>();
      for (std::int64_t at = 0; at < indices.size; ++at) {
        auto index = static_cast<std::int64_t>(all[static_cast<std::size_t>(at)]);
        if (index < 0) index += depth;
        if (index < 0 || index >= depth) continue;
        out[(at / v.inner * v.size + index) * v.inner + at % v.inner] = choice[1];
      }
    });
  });
}
DType one_hot_type(const NodeInfo& info, std::size_t /*output*/) {
  return info.type(2);
}

constexpr TypeSet kRangeTypes{DType::int64, DType::int32, DType::int16, DType::float32,
                              DType::float64};
constexpr TypeSet kIndexTypes{DType::int64, DType::int32, DType::float32};

constexpr KernelRow kRows[] = {
    {.op_type = "ConstantOfShape",
     .since = 9,
     .run = constant_of_shape,
     .output_type = constant_of_shape_type,
     .shape_inputs = 1},
    {.op_type = "Range", .since = 11, .types = kRangeTypes, .run = range, .shape_inputs = 7},
    {.op_type = "Trilu", .since = 14, .run = trilu},
    {.op_type = "EyeLike",
     .since = 9,
     .run = eye_like,
     .output_type = eye_like_type,
     .reads_only_sizes = true},
    {.op_type = "OneHot",
     .since = 9,
     .types = kIndexTypes,
     .run = one_hot,
     .output_type = one_hot_type,
     .shape_inputs = 2},
};

}  // namespace

KernelRows generator_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
