// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "passes/pass.h"
#include "passes/pruning/prunable_layers.h"

namespace onnxpress {

// What a part of a layer is worth by each of the scores that the pruning passes choose by: a head
// (or the query heads of a key/value head), or a sixteenth of a block's neurons, in the order in
// which prune_neurons lets them go.
struct PartScores {
  std::string block;       // the label of the layer's first reader
  std::string part;        // "head 3", "heads 2, 3", "neurons 1/16"
  std::int64_t bytes = 0;  // of weights, that would go
  double norm = 0;         // of its rows of the reader; of neurons times that of their columns
  // With data only. The share that goes of
  std::optional<double> activation{};  // E[x²]·‖w‖², summed over the part's rows
  std::optional<double> obs{};   // and ‖XW - XW'‖² / ‖XW‖², the others making up for it
  std::optional<double> loss{};  // what the model's outputs lose by that: see AblationRun
};

struct PartScoresOfKind {
  std::vector<PartScores> parts;
  bool loss_is_kl = false;
  std::vector<std::string> left_out;  // blocks that can't be pruned, and why
};

// Every part alone, taken out of the model as it is. Without data in the context: by norm, and
// neurons in the order of their norms. Scores of blocks that share weights are summed; `done` is
// told the share that is done.
[[nodiscard]] PartScoresOfKind score_parts(PassContext& context, PrunableKind kind,
                                           const std::function<void(double)>& done);

}  // namespace onnxpress
