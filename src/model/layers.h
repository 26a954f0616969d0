// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/transformer_view.h"

namespace onnxpress {

// A whole layer of an encoder or decoder: an attention block (in decoders of two halves also the
// one that looks at the encoder) and a feed-forward block, with their residuals and norms.
struct TransformerLayer {
  std::string label;  // what the names of its units begin with: "/encoder/layer.3"
  // All that depends on `entering` and flows to the outputs flows through `leaving`: the layer
  // computes the one from the other, and from nothing else that depends on `entering`.
  ValueId entering = kNoValue, leaving = kNoValue;
  bool post_norm = false;                  // `leaving` is put out by the layer's own last norm
  std::vector<std::size_t> attentions;     // indices into TransformerView::attentions()
  std::vector<std::size_t> feed_forwards;  // …and feed_forwards()
};

struct TransformerLayers {
  std::vector<TransformerLayer> layers;  // in the order of the graph
  // Blocks that are in no layer, and why: "…/attention: is not followed by a feed-forward block".
  std::vector<std::string> unplaced;
};

// Finds layers by data flow. Follows what depends on the embeddings (of a model without tables: on
// its inputs) and notes each value that all of it passes: what lies between two such values, and
// has attention and then a feed-forward block, is a layer. The nodes must be sorted.
[[nodiscard]] TransformerLayers find_layers(const Graph& graph, const TransformerView& view);

}  // namespace onnxpress
