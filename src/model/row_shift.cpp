// SPDX-License-Identifier: Apache-2.0
#include "model/row_shift.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

namespace onnxpress {
namespace {

bool over_last_axis(const Graph& graph, const patterns::NormMatch& norm) {
  if (norm.axis == -1) return true;
  const auto& shape = graph.value(norm.input).shape;
  return shape && norm.axis == static_cast<std::int64_t>(shape->size()) - 1;
}

// Adds to `next` what else than its normalised sum a fused operator computes of its input; false if
// that is the mean.
bool follow_other_outputs(const Graph& graph, const Node& node, std::vector<ValueId>& next) {
  constexpr std::size_t kSum = 3;  // of Skip…LayerNormalization
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    const ValueId output = node.outputs[i];
    if (output == kNoValue) continue;
    if (graph.value(output).uses.empty() && !graph.value(output).is_output) continue;
    if (i != kSum) return false;
    next.push_back(output);
  }
  return true;
}

// The norm that reads `value` by that node, if one does.
const patterns::NormMatch* norm_of(const TransformerView& view, ValueId value, NodeId reader) {
  for (const Norm& norm : view.norms()) {
    const auto& match = norm.match;
    if (match.input != value && match.residual != value) continue;
    if (std::ranges::find(match.nodes, reader) != match.nodes.end()) return &match;
  }
  return nullptr;
}

}  // namespace

bool ignores_row_shift(const TransformerView& view, const Graph& graph, ValueId value) {
  std::vector<ValueId> next{value};
  std::set<ValueId> seen;
  while (!next.empty()) {
    const ValueId at = next.back();
    next.pop_back();
    if (!seen.insert(at).second) continue;
    if (graph.value(at).is_output) return false;
    for (const Use& use : graph.value(at).uses) {
      const Node& node = graph.node(use.node);
      if (node.is("Shape")) continue;
      if (node.is("Add") || node.is("Identity")) {
        next.push_back(node.outputs[0]);
        continue;
      }
      const patterns::NormMatch* norm = norm_of(view, at, use.node);
      if (norm == nullptr || norm->kind != patterns::NormKind::layer) return false;
      if (!over_last_axis(graph, *norm)) return false;
      if (!norm->decomposed && !follow_other_outputs(graph, node, next)) return false;
    }
  }
  return true;
}

}  // namespace onnxpress
