// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/kernel.h"

namespace onnxpress::exec {

// `axis` counted from 0; negative ones count from the end. Throws Error (shape_mismatch) unless
// -rank <= axis < rank.
[[nodiscard]] std::size_t normalized_axis(std::int64_t axis, int rank);

// The elements of an int32 or int64 input. Throws Error (unsupported_type, unsupported_model if
// there are more than a shape can have).
[[nodiscard]] Extents int_values(const KernelContext& c, std::size_t input);
// The one element of such an input. Throws Error (shape_mismatch) if there are more or fewer.
[[nodiscard]] std::int64_t int_value(const KernelContext& c, std::size_t input);

// Axes, written as an attribute in older opsets and as an optional input in newer ones.
[[nodiscard]] bool has_axes(const KernelContext& c, std::size_t input);
[[nodiscard]] Extents axes(const KernelContext& c, std::size_t input, int rank);

// A tensor seen from one of its axes: [outer, size, inner].
struct AxisView {
  std::int64_t outer = 1, size = 1, inner = 1;
};
[[nodiscard]] AxisView around_axis(const Extents& dims, std::size_t axis);

}  // namespace onnxpress::exec
