// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "model/transformer_view.h"
#include "passes/pass.h"

namespace onnxpress {

// Units that read the same tensor (Q, K and V; gate and up), so that one observation of it serves
// all of them.
struct Stage {
  ValueId input = kNoValue;
  std::vector<std::size_t> rows;  // of the plan; target is the unit's index in the view
};

// The units that the plan changes, in the order in which the model computes them: what a stage
// reads depends on no unit of a later one.
[[nodiscard]] std::vector<Stage> stages_of(const PassPlan& plan, const TransformerView& view,
                                           const Graph& graph);

}  // namespace onnxpress
