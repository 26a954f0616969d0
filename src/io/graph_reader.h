// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "io/read_context.h"
#include "ir/graph.h"

namespace onnxpress::io {

// What the model around a graph says and its nodes have to keep to.
struct ModelRules {
  std::int64_t ir_version = 0;
  std::set<std::string, std::less<>> domains;  // imported; "" is ai.onnx
};

// Reads a GraphProto with the bodies in it and checks the rules that make it a graph: names unique,
// nodes sorted, everything that is read is there, outputs produced. Throws Error (graph_malformed,
// …) that names node and value.
[[nodiscard]] Graph read_graph(Bytes message, const ModelRules& rules, ReadContext& context);

}  // namespace onnxpress::io
