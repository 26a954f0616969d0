// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/indices.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error_codes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/strided_copy.h"

namespace onnxpress::exec {
namespace {

std::int64_t checked(std::int64_t index, std::int64_t size) {
  if (index < -size || index >= size) {
    throw Error(codes::shape_mismatch,
                fmt::format("index {} is out of range for a dimension of {}", index, size),
                "were the data made with this model's tokenizer and maximum length?");
  }
  return index < 0 ? index + size : index;
}

}  // namespace

std::span<const std::int64_t> checked_indices(KernelContext& c, const TensorView& indices,
                                              std::int64_t size) {
  const auto all = c.scratch<std::int64_t>(static_cast<std::size_t>(indices.size));
  with_type<std::int64_t, std::int32_t>(indices.dtype, [&]<class T>() {
    std::ranges::transform(indices.as<T>(), all.begin(), [&](T i) { return checked(i, size); });
  });
  return all;
}

void require_within(const Extents& indices, const Extents& data, std::size_t axis) {
  bool within = indices.size() == data.size();
  for (std::size_t d = 0; within && d < data.size(); ++d) {
    within = d == axis || indices[d] <= data[d];
  }
  if (!within) {
    throw Error(codes::shape_mismatch,
                fmt::format("indices of shape {} into {}", to_string(indices), to_string(data)));
  }
}

std::int64_t element_offset(std::int64_t at, const Extents& dims, const Extents& strides,
                            std::size_t axis, std::int64_t index) {
  std::int64_t offset = index * strides[axis];
  for (std::size_t d = dims.size(); d-- > 0;) {
    if (d != axis) offset += at % dims[d] * strides[d];
    at /= dims[d];
  }
  return offset;
}

std::span<const std::int64_t> block_offsets(KernelContext& c, const TensorView& indices,
                                            const Extents& data, std::size_t batch) {
  const auto depth = static_cast<std::size_t>(indices.dims.back());
  const std::int64_t rows = product(indices.dims, 0, indices.dims.size() - 1);
  const Extents strides = row_major_strides(data);
  const auto offsets = c.scratch<std::int64_t>(static_cast<std::size_t>(rows));
  with_type<std::int64_t, std::int32_t>(indices.dtype, [&]<class T>() {
    const auto all = indices.as<T>();
    for (std::size_t row = 0; row < offsets.size(); ++row) {
      std::int64_t offset = 0;
      for (std::size_t d = 0; d < depth; ++d) {
        offset += checked(all[row * depth + d], data[batch + d]) * strides[batch + d];
      }
      offsets[row] = offset;
    }
  });
  return offsets;
}

}  // namespace onnxpress::exec
