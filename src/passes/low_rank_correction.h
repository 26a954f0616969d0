// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "calib/moments.h"
#include "model/linear_unit.h"
#include "numerics/low_rank_correction.h"
#include "passes/weight_solver.h"

// Low-rank corrections of quantized weights: a branch x·A·B beside the unit's product that brings
// back part of what rounding took.
namespace onnxpress {

struct CorrectionChoice {
  std::int64_t rank = 0;  // 0: no corrections
  FactorType type = FactorType::int8;
  bool bias = true;             // the bias may take the mean error
  bool refit = true;            // try to correct towards weights refitted to the original's outputs
  double refit_strength = 0.1;  // see RidgeRefit
  int rounds = 2;               // in which codes of gptq and corrections are solved in turn
  bool unseen = false;          // nobody keeps the result: one of the right size will do
};

// Bytes of the unit's correction if it gets one; 0 where it can have none: where the choice wants
// none, the weight is shared or too small, or one operator can't take the product's place.
[[nodiscard]] std::int64_t planned_bytes(const CorrectionChoice& choice, const LinearUnit& unit,
                                         const Graph& graph);

// A correction of the unit's codes, where it helps: solved and stored for codes of the training
// rows, it must bring the output closer to the original's on held-out rows; what is returned is
// solved on all rows, in turn with `solved.q` where its codes are gptq's. The figures of `solved`
// tell what was measured; with a correction its codes, bias_change and way are changed, too. The
// unit must still have its weight. `moments` may be nullptr: then there is none. `gptq`: what the
// codes were solved with.
[[nodiscard]] std::optional<LowRankCorrection> find_correction(
    const Graph& graph, const LinearUnit& unit, const StageMoments* moments,
    const CorrectionChoice& choice, const GptqOptions& gptq, SolvedWeight& solved,
    ThreadPool& pool);

}  // namespace onnxpress
