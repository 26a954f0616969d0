// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/transformer_view.h"
#include "model/view_index.h"

namespace onnxpress {

// Finds the attention blocks of a graph, in the order of the graph.
[[nodiscard]] std::vector<Attention> find_attentions(const ViewIndex& index);

}  // namespace onnxpress
