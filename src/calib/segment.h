// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// A part of a graph that runs on its own.
struct Segment {
  Model model;
  std::set<NodeId> nodes;       // of the whole graph
  std::vector<ValueId> inputs;  // of the whole graph: graph inputs and values that are given
};

// The nodes that `values` depend on, up to graph inputs, constants and values that `given` says yes
// to.
[[nodiscard]] std::set<NodeId> nodes_between(const Graph& graph, std::span<const ValueId> values,
                                             const std::function<bool(ValueId)>& given);

// A model of these nodes, with the names of the whole. What they read and do not compute becomes an
// input; `outputs` are values that they compute.
[[nodiscard]] Segment cut_segment(const Model& model, std::set<NodeId> nodes,
                                  std::span<const ValueId> outputs);

}  // namespace onnxpress
