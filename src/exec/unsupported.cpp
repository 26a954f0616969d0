// SPDX-License-Identifier: Apache-2.0
#include "exec/unsupported.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error_codes.h"

namespace onnxpress::exec {

void UnsupportedOperators::add(const Node& node, std::int64_t opset, const std::string& reason) {
  const std::string domain = node.domain.empty() ? "ai.onnx" : node.domain;
  nodes_[{domain, node.op_type, opset, reason}].push_back(fmt::format("\"{}\"", node.name));
}

void UnsupportedOperators::throw_if_any() const {
  if (nodes_.empty()) return;
  std::vector<std::string> parts;
  for (const auto& [key, names] : nodes_) {
    const auto& [domain, op_type, opset, reason] = key;
    parts.push_back(fmt::format("{} ({} {}: {}) in {} {}", op_type, domain, opset, reason,
                                names.size() == 1 ? "node" : "nodes", fmt::join(names, ", ")));
  }
  throw Error(
      codes::unsupported_operator,
      fmt::format("{} can't be run: {}",
                  parts.size() == 1 ? "1 operator" : fmt::format("{} operators", parts.size()),
                  fmt::join(parts, "; ")));
}

std::string label(const Graph& graph, const Node& node) {
  if (!node.name.empty()) return fmt::format("\"{}\" ({})", node.name, node.op_type);
  for (const ValueId id : node.outputs) {
    if (id != kNoValue)
      return fmt::format("{} that computes \"{}\"", node.op_type, graph.value(id).name);
  }
  return node.op_type;
}

}  // namespace onnxpress::exec
