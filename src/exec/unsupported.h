// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "ir/graph.h"

namespace onnxpress::exec {

// Collects what can't be run, so that a model gets one error for all of it:
//   2 operators can't be run: Det (ai.onnx 14; no such operator) in nodes "a", "b"; …
class UnsupportedOperators {
 public:
  void add(const Node& node, std::int64_t opset, const std::string& reason);
  // Throws Error (unsupported_operator) if something was added.
  void throw_if_any() const;

 private:
  using Key = std::tuple<std::string, std::string, std::int64_t, std::string>;
  std::map<Key, std::vector<std::string>> nodes_;
};

// "name", or "(op_type -> first output)" where the node has none; for messages.
[[nodiscard]] std::string label(const Graph& graph, const Node& node);

}  // namespace onnxpress::exec
