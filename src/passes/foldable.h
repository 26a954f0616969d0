// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// Bytes that the outputs of a node with constant inputs have at most, if it may be folded without
// changing a bit; nothing if it may not. Never computes the outputs themselves.
[[nodiscard]] std::optional<std::int64_t> foldable_bytes(const Graph& graph, const Node& node);

// The outputs of a node with constant inputs, computed by our executor, or nothing if it does not
// take the node. Outputs that are left out are undefined tensors.
[[nodiscard]] std::optional<std::vector<Tensor>> evaluate(const Model& model, const Node& node);

}  // namespace onnxpress
