// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error_codes.h"
#include "exec/kernels/axes.h"
#include "exec/kernels/broadcast.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"
#include "exec/kernels/strided_copy.h"

namespace onnxpress::exec {
namespace {

void transpose(KernelContext& c) {
  const TensorView& x = c.input(0);
  const auto attribute = c.ints("perm");
  Extents order = Extents(attribute);
  if (attribute.empty()) {
    for (std::size_t i = x.dims.size(); i-- > 0;) order.push_back(static_cast<std::int64_t>(i));
  }
  const Extents strides = row_major_strides(x.dims);
  Extents dims, steps;
  std::array<bool, Extents::kMaxRank> used{};
  for (const std::int64_t axis : order) {
    const std::size_t at = normalized_axis(axis, x.rank());
    if (used[at]) throw Error(codes::attribute_malformed, "perm names an axis twice");
    used[at] = true;
    dims.push_back(x.dims[at]);
    steps.push_back(strides[at]);
  }
  if (dims.size() != x.dims.size()) {
    throw Error(codes::shape_mismatch, fmt::format("perm has {} axes but the input is {}",
                                                   dims.size(), to_string(x.dims)));
  }
  copy_strided(c, x.dtype, x.data, dims, steps, c.output(0, x.dtype, dims));
}

// Starts, ends, axes and steps are attributes up to opset 9 (without steps) and inputs since.
void slice(KernelContext& c) {
  const TensorView& x = c.input(0);
  const bool inputs = c.opset() >= 10;
  const Extents starts = inputs ? int_values(c, 1) : Extents(c.ints("starts"));
  const Extents ends = inputs ? int_values(c, 2) : Extents(c.ints("ends"));
  Extents list;
  if (inputs ? c.has_input(3) : c.node().attributes.has("axes")) {
    list = inputs ? int_values(c, 3) : Extents(c.ints("axes"));
  } else {
    for (std::size_t i = 0; i < starts.size(); ++i) list.push_back(static_cast<std::int64_t>(i));
  }
  const Extents by = inputs && c.has_input(4) ? int_values(c, 4) : Extents(starts.size(), 1);
  if (starts.size() != ends.size() || list.size() != starts.size() || by.size() != starts.size()) {
    throw Error(codes::shape_mismatch, "starts, ends, axes and steps differ in length");
  }
  Extents dims = x.dims, strides = row_major_strides(x.dims);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::size_t axis = normalized_axis(list[i], x.rank());
    const std::int64_t size = x.dims[axis], step = by[i];
    if (step == 0 || step == std::numeric_limits<std::int64_t>::min()) {
      throw Error(codes::shape_mismatch, fmt::format("a slice can't step by {}", step));
    }
    const auto bounded = [&](std::int64_t at) {
      if (at < 0) at += size;
      return step > 0 ? std::clamp<std::int64_t>(at, 0, size)
                      : std::clamp<std::int64_t>(at, -1, size - 1);
    };
    const std::int64_t begin = bounded(starts[i]);
    const std::int64_t end = ends[i] < -size && step < 0 ? -1 : bounded(ends[i]);
    const std::int64_t span = step > 0 ? end - begin : begin - end;
    const std::int64_t pace = step > 0 ? step : -step;
    dims[axis] = span <= 0 ? 0 : (span - 1) / pace + 1;
    offset += begin * strides[axis];
    strides[axis] = dims[axis] <= 1 ? 1 : strides[axis] * step;
  }
  std::byte* to = c.output(0, x.dtype, dims);
  if (product(dims) == 0) return;
  const std::byte* from = x.data + offset * bits(x.dtype) / 8;
  copy_strided(c, x.dtype, from, dims, strides, to);
}

void copy_broadcast(KernelContext& c, const TensorView& x, const Extents& dims) {
  const Extents own = row_major_strides(x.dims);
  Extents strides(dims.size(), 0);
  for (std::size_t i = 0; i < x.dims.size(); ++i) {
    if (x.dims[i] != 1) strides[dims.size() - x.dims.size() + i] = own[i];
  }
  copy_strided(c, x.dtype, x.data, dims, strides, c.output(0, x.dtype, dims));
}

void expand(KernelContext& c) {
  copy_broadcast(c, c.input(0), broadcast_shape(c.input(0).dims, int_values(c, 1)));
}

// Each dimension d becomes two, [repeats, d], of which the first steps by 0.
void tile(KernelContext& c) {
  const TensorView& x = c.input(0);
  const Extents repeats = int_values(c, 1);
  if (repeats.size() != x.dims.size()) {
    throw Error(codes::shape_mismatch, fmt::format("{} repeats for a tensor of shape {}",
                                                   repeats.size(), to_string(x.dims)));
  }
  Extents dims;
  for (std::size_t i = 0; i < repeats.size(); ++i) dims.push_back(repeats[i] * x.dims[i]);
  const Extents own = row_major_strides(x.dims);
  std::byte* to = c.output(0, x.dtype, dims);
  Extents walk, strides;
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] != 1) {
      walk.push_back(repeats[i]);
      strides.push_back(0);
    }
    if (x.dims[i] != 1) {
      walk.push_back(x.dims[i]);
      strides.push_back(own[i]);
    }
  }
  copy_strided(c, x.dtype, x.data, walk, strides, to);
}

enum class PadMode { constant, reflect, edge, wrap };

PadMode pad_mode(const KernelContext& c) {
  const std::string mode = c.node().attributes.get_string("mode", "constant");
  if (mode == "constant") return PadMode::constant;
  if (mode == "reflect") return PadMode::reflect;
  if (mode == "edge") return PadMode::edge;
  if (mode == "wrap") return PadMode::wrap;
  throw Error(codes::attribute_malformed, fmt::format("there is no mode \"{}\"", mode));
}

// Where the element at `at` (counted from the first that is not padding) comes from; -1: nowhere.
std::int64_t pad_source(PadMode mode, std::int64_t at, std::int64_t size) {
  if (at >= 0 && at < size) return at;
  if (mode == PadMode::constant || size == 0) return -1;
  if (mode == PadMode::edge) return at < 0 ? 0 : size - 1;
  if (mode == PadMode::wrap) return ((at % size) + size) % size;
  if (size == 1) return 0;
  const std::int64_t period = 2 * (size - 1), phase = ((at % period) + period) % period;
  return phase < size ? phase : period - phase;
}

void pad(KernelContext& c) {
  const TensorView& x = c.input(0);
  const auto rank = x.dims.size();
  const bool inputs = c.opset() >= 11;
  std::array<std::int64_t, Extents::kMaxRank> before{}, after{};
  Extents list;
  for (std::size_t i = 0; i < rank; ++i) list.push_back(static_cast<std::int64_t>(i));
  if (inputs && c.has_input(3)) list = axes(c, 3, x.rank());
  const auto pads = inputs ? c.input(1).as<std::int64_t>() : c.ints("pads");
  if (pads.size() != 2 * list.size()) {
    throw Error(codes::shape_mismatch,
                fmt::format("{} pads for {} axes", pads.size(), list.size()));
  }
  Extents dims = x.dims;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto axis = static_cast<std::size_t>(list[i]);
    before[axis] = pads[i];
    after[axis] = pads[i + list.size()];
    dims[axis] += before[axis] + after[axis];
  }
  const PadMode mode = pad_mode(c);
  const Extents strides = row_major_strides(x.dims);
  std::byte* to = c.output(0, x.dtype, dims);
  with_element_size(x.dtype, [&]<class U>() {
    U fill{};
    if (inputs && c.has_input(2) && c.input(2).size == 1) {
      fill = *reinterpret_cast<const U*>(c.input(2).data);
    } else if (!inputs && sizeof(U) == sizeof(float)) {
      const float value = c.get_float("value", 0);
      std::copy_n(reinterpret_cast<const std::byte*>(&value), sizeof(U),
                  reinterpret_cast<std::byte*>(&fill));
    }
    const U* from = reinterpret_cast<const U*>(x.data);
    U* out = reinterpret_cast<U*>(to);
    c.parallel_for(product(dims), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin; at < end; ++at) {
        std::int64_t rest = at, offset = 0;
        bool inside = true;
        for (std::size_t d = rank; d-- > 0;) {
          const std::int64_t source = pad_source(mode, rest % dims[d] - before[d], x.dims[d]);
          inside = inside && source >= 0;
          offset += source * strides[d];
          rest /= dims[d];
        }
        out[at] = inside ? from[offset] : fill;
      }
    });
  });
}

constexpr KernelRow kRows[] = {
    {.op_type = "Transpose", .run = transpose},
    {.op_type = "Slice", .run = slice, .shape_inputs = 0b11110},
    {.op_type = "Expand", .since = 8, .run = expand, .shape_inputs = 2},
    {.op_type = "Tile", .since = 6, .run = tile, .shape_inputs = 2},
    {.op_type = "Pad", .since = 2, .run = pad, .shape_inputs = 0b1010},
};

}  // namespace

KernelRows movement_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
