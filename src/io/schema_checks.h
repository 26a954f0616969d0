// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/checks.h"
#include "ir/graph.h"

namespace onnxpress::io {

// The newest version of a domain whose operators can be checked; 0 for domains that are not ONNX's.
[[nodiscard]] std::int64_t newest_known_opset(const std::string& domain);

// Compares a node with its operator's definition in that version of its domain.
[[nodiscard]] std::vector<Finding> check_node(const Node& node, std::int64_t opset);

// 'node "name" (OpType)'
[[nodiscard]] std::string label(const Node& node);

}  // namespace onnxpress::io
