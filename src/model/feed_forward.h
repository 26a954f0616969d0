// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/transformer_view.h"
#include "model/view_index.h"

namespace onnxpress {

// Finds the feed-forward pairs of a graph, in the order of their second products.
[[nodiscard]] std::vector<FeedForward> find_feed_forwards(const ViewIndex& index);

}  // namespace onnxpress
