// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "exec/kernel.h"

namespace onnxpress::exec {

// Constants bigger than this are computed anew in every run instead.
inline constexpr std::size_t kLargestFoldedBytes = std::size_t{256} << 20;

// The outputs of a node all of whose inputs are constant. Nothing if one is not, if a result would
// be too big, or if computing fails (then it fails when the model runs, where it can be explained).
[[nodiscard]] std::optional<std::vector<Tensor>> fold_node(const NodeInfo& info,
                                                           const KernelRow& row, ThreadPool& pool);

}  // namespace onnxpress::exec
