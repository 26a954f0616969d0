// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "passes/pass.h"
#include "passes/pruning/choose_units.h"
#include "passes/pruning/prunable_layers.h"

namespace onnxpress {

// What units are worth, told from data:
//   activation  E[x²]·‖w‖² summed over the unit's rows of the reader
//   obs         what the output's error grows by if the unit goes and the others make up for it as
//               well as they can: see BlockObs
//   ablation    what the model's outputs lose by that, measured: see AblationRun
enum class DataScore { activation, obs, ablation };

struct LayerChoice {
  std::vector<std::int64_t> kept;  // units, ascending
  UnitFigures figures;
};

// Chooses the units that stay, on the context's data. `layers` and `scored` (whose scores are not
// read) belong together.
//
// Heads by ablation: in rounds, since what one is worth depends on which others are gone. Neurons
// by ablation: each layer's neurons go in the order of obs; the loss is measured at some numbers of
// them, and how many each layer loses is what makes the sum of losses least.
[[nodiscard]] std::vector<LayerChoice> choose_on_data(
    PassContext& context, const std::vector<const PrunableLayer*>& layers,
    const std::vector<ScoredLayer>& scored, const PruningTarget& target, DataScore score,
    const std::function<void(double)>& done);

}  // namespace onnxpress
