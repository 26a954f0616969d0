// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "exec/kernels/axes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"
#include "exec/kernels/indices.h"
#include "exec/kernels/strided_copy.h"

namespace onnxpress::exec {
namespace {

enum class Reduction { none, add, mul, max, min };

Reduction reduction(const KernelContext& c) {
  const std::string name = c.node().attributes.get_string("reduction", "none");
  if (name == "none") return Reduction::none;
  if (name == "add") return Reduction::add;
  if (name == "mul") return Reduction::mul;
  if (name == "max") return Reduction::max;
  if (name == "min") return Reduction::min;
  throw Error(codes::attribute_malformed, fmt::format("there is no reduction \"{}\"", name));
}

template <class T>
T combined(Reduction how, T old, T update) {
  switch (how) {
    case Reduction::add:
      return static_cast<T>(old + update);
    case Reduction::mul:
      return static_cast<T>(old * update);
    case Reduction::max:
      return std::max(old, update);
    case Reduction::min:
      return std::min(old, update);
    case Reduction::none:
      break;
  }
  return update;
}

// Puts `count` updates into the copy of the data; update i goes to place(i), in order.
template <class Place>
void put(const KernelContext& c, std::byte* out, const TensorView& updates, const Place& place) {
  const Reduction how = reduction(c);
  if (how == Reduction::none) {
    return with_element_size(updates.dtype, [&]<class U>() {
      const U* from = reinterpret_cast<const U*>(updates.data);
      U* to = reinterpret_cast<U*>(out);
      for (std::int64_t i = 0; i < updates.size; ++i) to[place(i)] = from[i];
    });
  }
  with_type<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int8_t, std::uint8_t>(
      updates.dtype, [&]<class T>() {
        const auto from = updates.as<T>();
        T* to = reinterpret_cast<T*>(out);
        for (std::int64_t i = 0; i < updates.size; ++i) {
          T& target = to[place(i)];
          target = narrow<T>(
              combined<Wide<T>>(how, widen(target), widen(from[static_cast<std::size_t>(i)])));
        }
      });
}

std::byte* copy_of_data(KernelContext& c) {
  const TensorView& x = c.input(0);
  std::byte* to = c.output(0, x.dtype, x.dims);
  if (to != x.data && x.size != 0) std::memcpy(to, x.data, x.byte_count());
  return to;
}

void scatter_elements(KernelContext& c) {
  const TensorView &x = c.input(0), &where = c.input(1), &updates = c.input(2);
  const std::size_t axis = normalized_axis(c.get_int("axis", 0), x.rank());
  require_within(where.dims, x.dims, axis);
  if (updates.dims != where.dims || updates.dtype != x.dtype) {
    throw Error(codes::shape_mismatch, "updates must be like indices");
  }
  const auto indices = checked_indices(c, where, x.dims[axis]);
  const Extents strides = row_major_strides(x.dims);
  put(c, copy_of_data(c), updates, [&](std::int64_t i) {
    return element_offset(i, where.dims, strides, axis, indices[static_cast<std::size_t>(i)]);
  });
}

void scatter_nd(KernelContext& c) {
  const TensorView &x = c.input(0), &where = c.input(1), &updates = c.input(2);
  if (where.rank() < 1 || where.dims.back() > x.rank()) {
    throw Error(codes::shape_mismatch, fmt::format("indices of shape {} into {}",
                                                   to_string(where.dims), to_string(x.dims)));
  }
  const auto depth = static_cast<std::size_t>(where.dims.back());
  Extents dims(where.dims.span().first(where.dims.size() - 1));
  dims.append(x.dims.span().subspan(depth));
  if (updates.dims != dims || updates.dtype != x.dtype) {
    throw Error(codes::shape_mismatch, fmt::format("updates must be of shape {} but are {}",
                                                   to_string(dims), to_string(updates.dims)));
  }
  const auto rows = block_offsets(c, where, x.dims, 0);
  const std::int64_t block = product(x.dims, depth, x.dims.size());
  put(c, copy_of_data(c), updates,
      [&](std::int64_t i) { return rows[static_cast<std::size_t>(i / block)] + i % block; });
}

constexpr KernelRow kRows[] = {
    {.op_type = "ScatterElements", .since = 11, .run = scatter_elements, .in_place = 1},
    {.op_type = "ScatterND", .since = 11, .run = scatter_nd, .in_place = 1},
};

}  // namespace

KernelRows scatter_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
