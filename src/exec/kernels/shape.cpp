// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/checked.h"
#include "base/error_codes.h"
#include "exec/kernels/axes.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

void shape(KernelContext& c) {
  const Extents& dims = c.input(0).dims;
  const std::int64_t rank = dims.rank();
  const auto bounded = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t begin = bounded(c.get_int("start", 0));
  const std::int64_t end = std::max(begin, bounded(c.get_int("end", rank)));
  std::ranges::copy(dims.begin() + begin, dims.begin() + end,
                    c.output<std::int64_t>(0, {end - begin}).begin());
}

void size(KernelContext& c) {
  c.output<std::int64_t>(0, {})[0] = c.input(0).size;
}

void identity(KernelContext& c) {
  c.alias_output(0, 0, c.input(0).dims);
}

// In the new shape 0 stands for the old size at that place (unless allowzero is set), and one -1
// for what is left over.
void reshape(KernelContext& c) {
  const TensorView& x = c.input(0);
  Extents dims = int_values(c, 1);
  const bool zero_is_zero = c.get_int("allowzero", 0) != 0;
  std::optional<std::int64_t> known = 1;
  std::optional<std::size_t> open;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !zero_is_zero && i < x.dims.size()) dims[i] = x.dims[i];
    if (dims[i] == -1 && !open) {
      open = i;
    } else if (dims[i] < 0) {
      throw Error(codes::shape_mismatch, fmt::format("can't reshape to {}", to_string(dims)));
    } else {
      if (known) known = checked_mul(*known, dims[i]);
    }
  }
  if (open && known && *known == 0) dims[*open] = 0;
  if (open && known && *known > 0) dims[*open] = x.size / *known;
  if (!known || product(dims) != x.size) {
    throw Error(codes::shape_mismatch, fmt::format("can't reshape {} to {}", to_string(x.dims),
                                                   to_string(int_values(c, 1))));
  }
  c.alias_output(0, 0, dims);
}

void flatten(KernelContext& c) {
  const Extents& dims = c.input(0).dims;
  std::int64_t axis = c.get_int("axis", 1);
  if (axis < 0) axis += dims.rank();
  if (axis < 0 || axis > dims.rank()) {
    throw Error(codes::shape_mismatch, fmt::format("axis {} of {}", axis, to_string(dims)));
  }
  const auto at = static_cast<std::size_t>(axis);
  c.alias_output(0, 0, {product(dims, 0, at), product(dims, at, dims.size())});
}

void squeeze(KernelContext& c) {
  const Extents& from = c.input(0).dims;
  std::array<bool, Extents::kMaxRank> gone{};
  if (has_axes(c, 1)) {
    for (const std::int64_t axis : axes(c, 1, from.rank())) {
      const auto at = static_cast<std::size_t>(axis);
      if (from[at] != 1) {
        throw Error(codes::shape_mismatch,
                    fmt::format("dimension {} of {} can't be removed", axis, to_string(from)));
      }
      gone[at] = true;
    }
  } else {
    for (std::size_t i = 0; i < from.size(); ++i) gone[i] = from[i] == 1;
  }
  Extents dims;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!gone[i]) dims.push_back(from[i]);
  }
  c.alias_output(0, 0, dims);
}

void unsqueeze(KernelContext& c) {
  const Extents& from = c.input(0).dims;
  const std::size_t added = c.has_input(1) ? int_values(c, 1).size() : c.ints("axes").size();
  Extents dims(from.size() + added, 0);
  for (const std::int64_t axis : axes(c, 1, dims.rank())) dims[static_cast<std::size_t>(axis)] = 1;
  std::size_t next = 0;
  for (std::int64_t& dim : dims) {
    if (dim == 0 && next < from.size()) {
      dim = from[next++];
    } else if (dim == 0) {
      throw Error(codes::shape_mismatch, "an axis is added twice");
    }
  }
  c.alias_output(0, 0, dims);
}

constexpr auto kInt64 = always<DType::int64>;

constexpr KernelRow kRows[] = {
    {.op_type = "Shape", .run = shape, .output_type = kInt64, .reads_only_sizes = true},
    {.op_type = "Size", .run = size, .output_type = kInt64, .reads_only_sizes = true},
    {.op_type = "Identity", .run = identity, .aliases = true},
    {.op_type = "Reshape", .since = 5, .run = reshape, .shape_inputs = 2, .aliases = true},
    {.op_type = "Flatten", .run = flatten, .aliases = true},
    {.op_type = "Squeeze", .run = squeeze, .shape_inputs = 2, .aliases = true},
    {.op_type = "Unsqueeze", .run = unsqueeze, .shape_inputs = 2, .aliases = true},
};

}  // namespace

KernelRows shape_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
