// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "exec/kernel.h"

// Indices that a model's data name: checked before they are used.
namespace onnxpress::exec {

// The elements of an int32 or int64 tensor, in scratch memory; negative ones count from the end.
// Throws Error (shape_mismatch) unless all are in [-size, size).
[[nodiscard]] std::span<const std::int64_t> checked_indices(KernelContext& c,
                                                            const TensorView& indices,
                                                            std::int64_t size);

// Throws Error (shape_mismatch) unless `indices` has the rank of `data` and is nowhere larger,
// except along `axis`.
void require_within(const Extents& indices, const Extents& data, std::size_t axis);

// Where the element lies that has the place of element `at` of a tensor of shape `dims`, but
// `index` along `axis`.
[[nodiscard]] std::int64_t element_offset(std::int64_t at, const Extents& dims,
                                          const Extents& strides, std::size_t axis,
                                          std::int64_t index);

// For indices [batch…, …, d] into data [batch…, x…]: by row of indices, the offset in elements of
// the block that it names in its batch's part. In scratch memory. Throws Error (shape_mismatch).
[[nodiscard]] std::span<const std::int64_t> block_offsets(KernelContext& c,
                                                          const TensorView& indices,
                                                          const Extents& data, std::size_t batch);

}  // namespace onnxpress::exec
