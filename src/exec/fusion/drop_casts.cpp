// SPDX-License-Identifier: Apache-2.0
#include "exec/fusion/rewrite.h"

namespace onnxpress::exec {

std::size_t drop_casts(Graph& graph) {
  std::size_t dropped = 0;
  for (const NodeId id : nodes_of(graph)) {
    const Node& node = graph.node(id);
    if (!node.is("Cast")) continue;
    const ValueId from = node.inputs[0];
    const ValueId to = node.outputs[0];
    const auto type = static_cast<DType>(node.attributes.get_int("to", 0));
    if (graph.value(from).dtype != type || graph.value(to).is_output) continue;
    graph.replace_all_uses(to, from);
    graph.erase(id);
    ++dropped;
  }
  return dropped;
}

}  // namespace onnxpress::exec
