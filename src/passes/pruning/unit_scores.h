// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "passes/pruning/prunable_layers.h"

namespace onnxpress {

// How much a model loses with each unit of a layer, by its weights alone: the norm of what the
// unit's rows of the reader can add to the residual stream; of a neuron times the norm of the
// column that makes it. Blocks that are cut together have their norms summed. Norms of different
// layers have no common unit. Throws Error (unsupported_type).
[[nodiscard]] std::vector<double> norm_scores(const Graph& graph, const TransformerView& view,
                                              const PrunableLayer& layer);

}  // namespace onnxpress
