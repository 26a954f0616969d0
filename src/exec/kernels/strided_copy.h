// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/kernel.h"

namespace onnxpress::exec {

// Fills `to`, of shape `dims`, from first to last element: the element at (i, j, …) is the one that
// lies i·strides[0] + j·strides[1] + … elements (of any sign, 0 to repeat) from `from`. Transpose,
// Slice and Expand are nothing else.
void copy_strided(KernelContext& c, DType dtype, const std::byte* from, const Extents& dims,
                  const Extents& strides, std::byte* to);

// Steps between neighbours along each dimension of a tensor in row-major order.
[[nodiscard]] Extents row_major_strides(const Extents& dims);

}  // namespace onnxpress::exec
