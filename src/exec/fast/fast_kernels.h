// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "exec/kernel_table.h"

namespace onnxpress::exec {

// The fast kernels, by source file; kernel_table() puts them before the reference kernels. Among
// them are those of the nodes that fusion makes (exec/fusion/fused_ops.h).
[[nodiscard]] std::span<const KernelRows> fast_kernels();

namespace fast {

[[nodiscard]] KernelRows product_rows();
[[nodiscard]] KernelRows integer_product_rows();
[[nodiscard]] KernelRows dynamic_product_rows();
[[nodiscard]] KernelRows quantization_rows();
[[nodiscard]] KernelRows normalization_rows();
[[nodiscard]] KernelRows activation_rows();
[[nodiscard]] KernelRows attention_rows();
[[nodiscard]] KernelRows embedding_rows();

}  // namespace fast
}  // namespace onnxpress::exec
