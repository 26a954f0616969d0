// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error_codes.h"
#include "exec/kernels/axes.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

void concat(KernelContext& c) {
  const TensorView& first = c.input(0);
  const std::size_t axis = normalized_axis(c.get_int("axis", 1), first.rank());
  Extents dims = first.dims;
  for (std::size_t i = 1; i < c.input_count(); ++i) {
    const TensorView& x = c.input(i);
    bool fits = x.rank() == first.rank() && x.dtype == first.dtype;
    for (std::size_t d = 0; fits && d < dims.size(); ++d) {
      fits = d == axis || x.dims[d] == first.dims[d];
    }
    if (!fits) {
      throw Error(codes::shape_mismatch,
                  fmt::format("{} and {} can't be joined along axis {}", to_string(first.dims),
                              to_string(x.dims), axis));
    }
    dims[axis] += x.dims[axis];
  }
  std::byte* to = c.output(0, first.dtype, dims);
  const auto element = static_cast<std::size_t>(bits(first.dtype)) / 8;
  const AxisView whole = around_axis(dims, axis);
  const std::size_t row = static_cast<std::size_t>(whole.size * whole.inner) * element;
  std::size_t offset = 0;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    const TensorView& x = c.input(i);
    const std::size_t part = static_cast<std::size_t>(x.dims[axis] * whole.inner) * element;
    if (part == 0) continue;
    c.parallel_for(whole.outer, 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin; at < end; ++at) {
        const auto o = static_cast<std::size_t>(at);
        std::memcpy(to + o * row + offset, x.data + o * part, part);
      }
    });
    offset += part;
  }
}

// The size of output i along the axis: from an attribute or input where given, otherwise equal
// parts of which the last may be smaller.
std::int64_t part_size(const KernelContext& c, std::size_t i, std::int64_t size) {
  const auto given = c.opset() < 13   ? c.ints("split")
                     : c.has_input(1) ? c.input(1).as<std::int64_t>()
                                      : std::span<const std::int64_t>{};
  if (!given.empty()) {
    if (given.size() != c.output_count()) {
      throw Error(codes::shape_mismatch,
                  fmt::format("{} sizes for {} outputs", given.size(), c.output_count()));
    }
    return given[i];
  }
  const auto parts = static_cast<std::int64_t>(c.output_count());
  const std::int64_t each = (size + parts - 1) / parts;
  return std::clamp<std::int64_t>(size - static_cast<std::int64_t>(i) * each, 0, each);
}

void split(KernelContext& c) {
  const TensorView& x = c.input(0);
  const std::size_t axis = normalized_axis(c.get_int("axis", 0), x.rank());
  const AxisView whole = around_axis(x.dims, axis);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    const std::int64_t part = part_size(c, i, whole.size);
    if (part < 0 || part > whole.size) sum = -1;
    if (sum >= 0) sum += part;
  }
  if (sum != whole.size) {
    throw Error(codes::shape_mismatch,
                fmt::format("the parts do not add up to {} along axis {}", whole.size, axis));
  }
  const auto element = static_cast<std::size_t>(bits(x.dtype)) / 8;
  const std::size_t row = static_cast<std::size_t>(whole.size * whole.inner) * element;
  std::size_t offset = 0;
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    Extents dims = x.dims;
    dims[axis] = part_size(c, i, whole.size);
    const std::size_t part = static_cast<std::size_t>(dims[axis] * whole.inner) * element;
    if (c.wants_output(i)) {
      std::byte* to = c.output(i, x.dtype, dims);
      if (part == 0) continue;
      c.parallel_for(whole.outer, 64, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t at = begin; at < end; ++at) {
          const auto o = static_cast<std::size_t>(at);
          std::memcpy(to + o * part, x.data + o * row + offset, part);
        }
      });
    }
    offset += part;
  }
}

constexpr KernelRow kRows[] = {
    {.op_type = "Concat", .run = concat},
    {.op_type = "Split", .since = 2, .run = split, .shape_inputs = 2},
};

}  // namespace

KernelRows concat_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
