// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstring>

#include "base/error_codes.h"
#include "exec/kernels/axes.h"
#include "exec/kernels/families.h"
#include "exec/kernels/indices.h"
#include "exec/kernels/strided_copy.h"

namespace onnxpress::exec {
namespace {

std::int64_t element_bytes(const TensorView& x) {
  return bits(x.dtype) / 8;
}

void gather(KernelContext& c) {
  const TensorView &x = c.input(0), &where = c.input(1);
  const std::size_t axis = normalized_axis(c.get_int("axis", 0), x.rank());
  const AxisView v = around_axis(x.dims, axis);
  const auto indices = checked_indices(c, where, v.size);
  Extents dims(x.dims.span().first(axis));
  dims.append(where.dims.span());
  dims.append(x.dims.span().subspan(axis + 1));
  std::byte* to = c.output(0, x.dtype, dims);
  const std::int64_t block = v.inner * element_bytes(x);
  const auto count = static_cast<std::int64_t>(indices.size());
  if (block == 0 || count == 0) return;
  c.parallel_for(v.outer * count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; ++at) {
      const std::int64_t row = at / count * v.size + indices[static_cast<std::size_t>(at % count)];
      std::memcpy(to + at * block, x.data + row * block, static_cast<std::size_t>(block));
    }
  });
}

void gather_elements(KernelContext& c) {
  const TensorView &x = c.input(0), &where = c.input(1);
  const std::size_t axis = normalized_axis(c.get_int("axis", 0), x.rank());
  require_within(where.dims, x.dims, axis);
  const auto indices = checked_indices(c, where, x.dims[axis]);
  std::byte* to = c.output(0, x.dtype, where.dims);
  const Extents strides = row_major_strides(x.dims);
  const auto element = static_cast<std::size_t>(element_bytes(x));
  for (std::int64_t at = 0; at < where.size; ++at) {
    const std::int64_t from =
        element_offset(at, where.dims, strides, axis, indices[static_cast<std::size_t>(at)]);
    std::memcpy(to + static_cast<std::size_t>(at) * element,
                x.data + static_cast<std::size_t>(from) * element, element);
  }
}

// indices [batch…, k…, d]: each row of d numbers names a block of the batch's part of x.
void gather_nd(KernelContext& c) {
  const TensorView &x = c.input(0), &where = c.input(1);
  const std::int64_t batch_dims = c.get_int("batch_dims", 0);
  if (where.rank() < 1 || batch_dims < 0 || batch_dims >= where.rank() || batch_dims >= x.rank() ||
      where.dims.back() + batch_dims > x.rank()) {
    throw Error(codes::shape_mismatch,
                fmt::format("indices of shape {} into {} with {} batch dims", to_string(where.dims),
                            to_string(x.dims), batch_dims));
  }
  const auto batch = static_cast<std::size_t>(batch_dims);
  const auto depth = static_cast<std::size_t>(where.dims.back());
  Extents dims(where.dims.span().first(where.dims.size() - 1));
  dims.append(x.dims.span().subspan(batch + depth));
  const std::int64_t batches = product(x.dims, 0, batch);
  if (batches != product(where.dims, 0, batch)) {
    throw Error(codes::shape_mismatch, fmt::format("the batch dimensions of {} and {} differ",
                                                   to_string(x.dims), to_string(where.dims)));
  }
  const auto rows = block_offsets(c, where, x.dims, batch);
  std::byte* to = c.output(0, x.dtype, dims);
  const std::int64_t block = product(x.dims, batch + depth, x.dims.size()) * element_bytes(x);
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t rows_a_batch = batches == 0 ? 0 : count / batches;
  const std::int64_t batch_bytes = product(x.dims, batch, x.dims.size()) * element_bytes(x);
  if (block == 0) return;
  c.parallel_for(count, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; ++at) {
      const std::byte* from = x.data + at / rows_a_batch * batch_bytes +
                              rows[static_cast<std::size_t>(at)] * element_bytes(x);
      std::memcpy(to + at * block, from, static_cast<std::size_t>(block));
    }
  });
}

constexpr KernelRow kRows[] = {
    {.op_type = "Gather", .run = gather},
    {.op_type = "GatherElements", .since = 11, .run = gather_elements},
    {.op_type = "GatherND", .since = 11, .run = gather_nd},
};

}  // namespace

KernelRows gather_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
