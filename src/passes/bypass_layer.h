// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/layers.h"

namespace onnxpress {

// What is left of a graph when a layer is taken out: what enters the layer stands where what
// leaves it stood. Weights that nothing else reads go, too.
// Returns "" or why it can't be, and then the graph is as it was: the value that leaves is of
// another size or type than the one that enters, or something else reads a value inside the layer.
[[nodiscard]] std::string bypass_layer(Graph& graph, const TransformerView& view,
                                       const TransformerLayer& layer);

}  // namespace onnxpress
