// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/cut_savings.h"

#include <array>

#include "passes/weight_bytes.h"

namespace onnxpress {

CutSavings size_savings(const Graph& graph, std::span<const PrunableLayer* const> layers) {
  Graph whole = graph;
  whole.remove_unused();
  const auto total = static_cast<double>(weight_bytes(whole));
  CutSavings savings{total, {}};
  for (const PrunableLayer* layer : layers) {
    std::vector<double>& saved =
        savings.layers.emplace_back(static_cast<std::size_t>(layer->units));
    Graph trial = whole;
    if (layer->units < 2 || !cut_layer(trial, *layer, std::array{std::int64_t{0}}, true).done()) {
      continue;
    }
    // Each unit holds as many as the next.
    const double most = total - static_cast<double>(weight_bytes(trial));
    for (std::size_t gone = 0; gone < saved.size(); ++gone) {
      saved[gone] = most * static_cast<double>(gone) / static_cast<double>(saved.size() - 1);
    }
  }
  return savings;
}

}  // namespace onnxpress
