// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/axes.h"

#include <fmt/format.h>

#include "base/error_codes.h"

namespace onnxpress::exec {

std::size_t normalized_axis(std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    throw Error(codes::shape_mismatch,
                fmt::format("axis {} is out of range for a tensor of rank {}", axis, rank));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
}

Extents int_values(const KernelContext& c, std::size_t input) {
  const TensorView& x = c.input(input);
  if (x.dtype == DType::int64) return Extents(x.as<std::int64_t>());
  if (x.dtype != DType::int32) {
    throw Error(codes::unsupported_type,
                fmt::format("input {} must hold integers but is {}", input, name(x.dtype)));
  }
  Extents values;
  for (const std::int32_t value : x.as<std::int32_t>()) values.push_back(value);
  return values;
}

std::int64_t int_value(const KernelContext& c, std::size_t input) {
  const Extents values = int_values(c, input);
  if (values.size() != 1) {
    throw Error(codes::shape_mismatch,
                fmt::format("input {} must have one element but has {}", input, values.size()));
  }
  return values[0];
}

bool has_axes(const KernelContext& c, std::size_t input) {
  return c.has_input(input) || c.node().attributes.has("axes");
}

Extents axes(const KernelContext& c, std::size_t input, int rank) {
  Extents all = c.has_input(input) ? int_values(c, input) : Extents(c.ints("axes"));
  for (std::int64_t& axis : all) axis = static_cast<std::int64_t>(normalized_axis(axis, rank));
  return all;
}

AxisView around_axis(const Extents& dims, std::size_t axis) {
  return {product(dims, 0, axis), dims[axis], product(dims, axis + 1, dims.size())};
}

}  // namespace onnxpress::exec
