// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "calib/staged_run.h"
#include "ir/patterns/norm.h"
#include "numerics/channel_lines.h"

namespace onnxpress {

// What a norm makes of its input before gain and shift, in the edited model (x) and in the original
// (y): rows to solve on, and rows to judge by (CalibrationSet::held_out).
struct NormRows {
  ChannelLines train, held_out;
  std::int64_t skipped_rows = 0;  // with NaN or infinity
  std::string why_not{};          // "" unless the two can't be compared
};

// Runs the data up to the norm's input: the norm itself need not have run, so that it may be edited
// afterwards at no cost. The norm must be over the last axis. Throws what StagedRun::advance does.
[[nodiscard]] NormRows observe_norm(StagedRun& run, const Model& edited,
                                    const patterns::NormMatch& norm);

}  // namespace onnxpress
