// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "model/symbolic_shapes.h"
#include "passes/pruning/axis_cut.h"

namespace onnxpress {

// An input or an output of a node.
struct Slot {
  bool output = false;
  std::size_t index = 0;
  friend auto operator<=>(const Slot&, const Slot&) = default;
};

struct SlotCut {
  Slot slot;
  AxisCut cut;
};

// What a cut at one slot of a node means for its other slots.
struct CutRule {
  std::vector<SlotCut> others;
  bool sums = false;       // the node adds up the places that go: what it computes changes
  bool quantized = false;  // with a reason: prune before quantizing
  std::string why_not;     // "" where the node can be cut
};

// What rules need to know.
struct CutContext {
  const Graph& graph;
  const SymbolicShapes& shapes;

  [[nodiscard]] const SymbolicShape* shape(const Node& node, Slot slot) const;
};

// The rule for one node: which places of its other inputs and outputs go when those of `from` do.
// Works from inputs to outputs and back, so that a cut can be followed from any value.
//
//   MatMul, output cut along its last axis       → the second operand, along its last axis
//   Reshape, [b, s, 48] cut by twelves           → [b, s, 4, 12] cut by one
//   Split into three, a cut at the second result → the middle third of the input
[[nodiscard]] CutRule cut_rule(const CutContext& context, const Node& node, Slot from,
                               const AxisCut& cut);

// For messages: MatMul "/layers.0/attention/MatMul".
[[nodiscard]] std::string describe(const Node& node);

// The parts of the table (cut_rules_*.cpp).
namespace cut_rules {
CutRule refuse(const Node& node, const std::string& why);
CutRule elementwise(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule matmul(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule gemm(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule einsum(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule reduce(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule normalize(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule reshape(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule transpose(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule split(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule slice(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule gather(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule concat(const CutContext& context, const Node& node, Slot from, const AxisCut& cut);
CutRule multi_head_attention(const CutContext& context, const Node& node, Slot from,
                             const AxisCut& cut);
CutRule attention_with_weights(const CutContext& context, const Node& node, Slot from,
                               const AxisCut& cut);
}  // namespace cut_rules

}  // namespace onnxpress
