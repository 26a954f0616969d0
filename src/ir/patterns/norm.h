// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/graph.h"

namespace onnxpress::patterns {

enum class NormKind { layer, rms };

// A LayerNormalization, y = (x - mean(x)) / sqrt(var(x) + epsilon) * gain + shift, or an RMSNorm,
// y = x / sqrt(mean(x²) + epsilon) * gain, over the axes from `axis` on.
struct NormMatch {
  NormKind kind = NormKind::layer;
  ValueId input = kNoValue;       // x; for Skip…LayerNormalization its first summand
  ValueId residual = kNoValue;    // …and its second, else kNoValue
  ValueId input_bias = kNoValue;  // …and the vector that is added to both
  ValueId gain = kNoValue;        // kNoValue: all ones
  ValueId shift = kNoValue;       // kNoValue: all zeros
  ValueId output = kNoValue;
  double epsilon = 0;
  std::int64_t axis = -1;     // may be negative, as in the file
  bool decomposed = false;    // false: one operator computes all of it
  std::vector<NodeId> nodes;  // what the match covers, in the order of computation; with
                              // `decomposed`, Casts between the steps are among them, so compare
                              // the types of `input` and `output` before replacing
};

// Recognises a norm by its anchor: the operator itself (LayerNormalization, RMSNormalization,
// SimplifiedLayerNormalization, Skip… of com.microsoft), or, where it is written out in
// ReduceMean, Sub, Pow, …, the node that takes the root of the variance (Sqrt; Pow by -0.5 or 0.5).
// Every norm has exactly one anchor, so going through all nodes finds each once. Gain and shift are
// constants of the size of one row, or computed from constants (1 + w). Casts, either order of the
// operands, Mul by a reciprocal and the form x·g - (mean·g - shift) are seen through.
[[nodiscard]] std::optional<NormMatch> match_norm(const Graph& graph, NodeId anchor);

// The same, but for a normalised value that several gains share (where two layers normalise the
// same state and an optimizer has merged what they have in common): one match for each gain. These
// cover nodes in common, so that none of them can be replaced alone.
[[nodiscard]] std::vector<NormMatch> match_norms(const Graph& graph, NodeId anchor);

}  // namespace onnxpress::patterns
