// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ir/graph.h"

namespace onnxpress {

// Bytes of all initializers, tensor attributes and tensors in bodies. Tensors that share memory
// count each, since a file holds each.
[[nodiscard]] std::int64_t weight_bytes(const Graph& graph);

}  // namespace onnxpress
