// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "exec/kernel_table.h"

namespace onnxpress::exec {

// The fast kernels, by source file; kernel_table() puts them before the reference kernels.
[[nodiscard]] std::span<const KernelRows> fast_kernels();

}  // namespace onnxpress::exec
