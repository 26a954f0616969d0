// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "exec/session.h"

namespace onnxpress::exec {

// The given tensors in the order of the ports; null where an input with a default is not given.
// Throws Error (missing_input, shape_mismatch), naming the input and what it should be.
[[nodiscard]] std::vector<const Tensor*> match_inputs(const std::vector<PortInfo>& ports,
                                                      const TensorMap& given);

}  // namespace onnxpress::exec
