// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "calib/moments.h"
#include "numerics/activation_grid.h"
#include "numerics/smoothing.h"
#include "passes/pass.h"

namespace onnxpress {

// Tells a pass what flows through the model that it edits: from data, run stage by stage through
// the original and the edited model; or, where there are none, from a calibration file, which knows
// the model's inputs as they were before anything was rounded.
//
//   ActivationSource source(context, [&] { return done_share; });
//   for (const Stage& stage : stages) {
//     const StageMoments moments = source.moments(stage.input);
//     … solve the units of the stage, edit the graph …
//   }
class ActivationSource {
 public:
  // The context's model as it is now is the one to compare with. There must be data or a
  // calibration file. `done` is asked for the share that is reported while data run.
  ActivationSource(PassContext& context, std::function<double()> done);

  // Each call goes on from where the last one was: values come in the order of the graph.
  // 0 channels or no rows where nothing is known of the value. Throw what StagedRun::advance and
  // OriginalStatistics throw.
  [[nodiscard]] SmoothingInput input(ValueId value);
  // `grid` (or nullptr): how the value is going to be rounded.
  [[nodiscard]] StageMoments moments(ValueId value, const ActivationGrid* grid = nullptr);

  // Why nothing is known of a value.
  [[nodiscard]] std::string why_unknown() const;
  // What to add to a unit's report: where the numbers come from, if not from a run. May be empty.
  [[nodiscard]] std::string remark() const;
  // Moments are those of real rows of both models. From a file, what rounding does to an input is
  // only estimated: good enough to spread errors by, not to refit weights to.
  [[nodiscard]] bool is_measured() const { return run_.has_value(); }

 private:
  PassContext& context_;
  Model original_;
  std::optional<StagedRun> run_;
};

// What a pass takes from a calibration file.
struct StatisticsNeeds {
  bool grams = false;
  bool rows = false;
};
// Where there is a calibration file and no data. Throws Error (missing_data) if it lacks what is
// needed; the hint names the flag of `calibrate`.
void require_statistics(const PassContext& context, StatisticsNeeds needs);

}  // namespace onnxpress
