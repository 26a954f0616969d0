// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/transformer_view.h"

namespace onnxpress {

// Whether the graph computes the same (but for rounding) if a constant is added to all numbers of a
// row of `value`, another for each row: they reach LayerNormalizations only, which subtract the
// mean, directly or through sums. So it is with embeddings that are added up and normalised, and
// with the residual stream of a model that normalises whatever reads it.
[[nodiscard]] bool ignores_row_shift(const TransformerView& view, const Graph& graph,
                                     ValueId value);

}  // namespace onnxpress
