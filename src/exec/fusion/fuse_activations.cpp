// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "exec/fast/activation_name.h"
#include "exec/fusion/fused_ops.h"
#include "exec/fusion/rewrite.h"
#include "ir/patterns/activation.h"
#include "ir/patterns/constants.h"

namespace onnxpress::exec {

std::size_t fuse_activations(Graph& graph) {
  std::size_t made = 0;
  for (const NodeId id : nodes_of(graph)) {
    if (!is_live(graph, id)) continue;
    const auto match = patterns::match_activation(graph, id);
    if (!match || match->bias != kNoValue) continue;
    const std::string kind(patterns::name(match->kind));
    if (!fast::parse_activation(kind)) continue;
    if (!is_float32(graph, match->input) || !is_float32(graph, match->output)) continue;
    if (!patterns::is_replaceable(graph, match->nodes, match->output)) continue;
    replace(graph, match->nodes, fused::kActivation, {match->input}, {{"activation", kind}},
            match->output);
    ++made;
  }
  return made;
}

}  // namespace onnxpress::exec
