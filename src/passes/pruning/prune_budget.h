// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "passes/pass.h"
#include "passes/pruning/choose_units.h"
#include "passes/pruning/cut_savings.h"
#include "passes/pruning/prune_layers.h"

namespace onnxpress {

// Budgets other than a share of the units: what cuts save of the model's bytes, or of its time.

// What each of the layers can save: its bytes counted, or its time as the options' table says it or
// as it is measured here. `options.budget` is "size" or "latency". Throws what reading the table
// throws, and Error (bad_option) where it was measured at another shape than the options say.
[[nodiscard]] CutSavings savings_of(PassContext& context, const PruneOptions& options,
                                    std::span<const PrunableLayer* const> layers);

// The target of the choice: at least `options.ratio` of the model's total goes. Throws Error
// (bad_option) that says how much can go where that is more than all layers together save.
[[nodiscard]] PruningTarget savings_target(PrunableKind kind, const PruneOptions& options,
                                           const CutSavings& savings,
                                           const std::vector<ScoredLayer>& scored);

}  // namespace onnxpress
