// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "exec/kernel.h"

namespace onnxpress::exec {

// The rows of one source file.
using KernelRows = std::span<const KernelRow>;

// All kernels: the fast ones first, then the reference kernels, which are complete by themselves.
[[nodiscard]] std::span<const KernelRows> kernel_table();
// How many of kernel_table()'s parts, from its start, are fast kernels.
[[nodiscard]] std::size_t fast_parts();

struct KernelChoice {
  const KernelRow* row = nullptr;  // null: there is none
  std::string reason;              // why there is none: "no such operator", "input of type …"
};
// The first row that can compute the node.
[[nodiscard]] KernelChoice choose_kernel(const NodeInfo& info, bool reference_only);

// Element type of output i of a node that `row` computes.
[[nodiscard]] DType output_type(const KernelRow& row, const NodeInfo& info, std::size_t i);

}  // namespace onnxpress::exec
