// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "exec/tensor_view.h"

namespace onnxpress::exec {

// Memory of this machine, in bytes: nothing bigger is ever asked for.
[[nodiscard]] std::size_t machine_memory();

// Bytes of a tensor that a kernel wants to make. Throws Error: shape_mismatch if a size is
// negative, out_of_memory if it is more than the machine has.
[[nodiscard]] std::size_t memory_size(DType dtype, const Extents& dims);

}  // namespace onnxpress::exec
