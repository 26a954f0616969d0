// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "targets/target.h"

namespace onnxpress {

// What ONNX Runtime 1.32 has no CPU kernel for: versions, domains, and operators with types or
// attributes that none is registered for. The types of values count where they are known.
[[nodiscard]] std::vector<TargetFinding> missing_kernels(const Model& model);

}  // namespace onnxpress
