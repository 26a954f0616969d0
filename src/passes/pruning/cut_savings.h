// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "passes/pruning/prunable_layers.h"

namespace onnxpress {

// What the cuts of layers save, of what the whole model takes: bytes or milliseconds.
struct CutSavings {
  double total = 0;                         // of the model as it is
  std::vector<std::vector<double>> layers;  // [layer][units that go], from 0 units to all but one
};

// Bytes of weights, each counted once. A layer that can't be cut saves nothing.
[[nodiscard]] CutSavings size_savings(const Graph& graph,
                                      std::span<const PrunableLayer* const> layers);

}  // namespace onnxpress
