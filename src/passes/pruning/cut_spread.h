// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "passes/pruning/cut_rules.h"

namespace onnxpress {

// Everything that goes when some places of one value go.
struct CutSpread {
  // Values that get smaller: computed ones, and stored tensors that all their readers see cut.
  std::map<ValueId, AxisCut> values;
  // Stored tensors that a node reads for itself (biases, factors): they are cut in a copy, others
  // that read the same tensor keep it. By node and input.
  std::map<std::pair<NodeId, std::size_t>, AxisCut> operands;
  // Products that add up places that go, in the order of the graph: with these the model computes
  // something else, everywhere else the same. Of each: the cut of what it reads beside its weight.
  std::vector<std::pair<NodeId, AxisCut>> readers;
  std::string why_not;     // "" where all of it can be cut
  bool quantized = false;  // with a reason: it stands behind quantized weights

  [[nodiscard]] bool possible() const { return why_not.empty(); }
};

// Follows a cut of `start` through the graph, forward and back, until nothing more has to go with
// it. Stops with a reason at anything that is not known to be cut the same way: another reader, a
// graph input or output, a sum over what would go that is no product with a weight.
//
//   attention output's input, [b, s, 4·12] without the places of head 1
//   → the context, the probabilities, the scores without head 1, masks that have one for each head
//   → q, k, v without it → columns of the weights that make them, places of their biases
[[nodiscard]] CutSpread spread_cut(const Graph& graph, const SymbolicShapes& shapes, ValueId start,
                                   const AxisCut& cut);

// The stored tensor that an operand is, also behind Identity; kNoValue for computed ones.
[[nodiscard]] ValueId stored_value(const Graph& graph, ValueId value);

}  // namespace onnxpress
