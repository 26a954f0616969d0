// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ir/graph.h"
#include "model/labels.h"
#include "model/linear_unit.h"
#include "model/symbolic_shapes.h"

namespace onnxpress {

struct LinearUnits {
  std::vector<LinearUnit> units;     // roles not set yet
  std::vector<ProductRow> products;  // one for each product, with the reasons of units copied
};

// Finds the products of a graph and which of them are linear units, in the order of the graph.
[[nodiscard]] LinearUnits find_linear_units(const Graph& graph, const SymbolicShapes& shapes,
                                            Labels& labels);

}  // namespace onnxpress
