// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>

#include "exec/session.h"
#include "passes/pruning/latency_table.h"

namespace onnxpress {

struct MeasureLatencyOptions {
  SessionOptions session{};
  InputSizes sizes{};                  // cut to what the model's inputs allow
  std::function<void(double)> tick{};  // told the share that is done; throws to cancel
};

// Times the model with layers of it cut to up to 12 numbers of units, against the model as it is,
// in turns, and compares the fastest runs: a busy machine disturbs these least. Layers of the same
// shape are cut together and share what that saves evenly: the larger difference is measured more
// sharply. `layers` of one kind or of both, those that can't be cut are left out, those that turn
// out not to save nothing. Throws what Session throws.
[[nodiscard]] LatencyTable measure_latency(const Model& model,
                                           std::span<const PrunableLayer* const> layers,
                                           const MeasureLatencyOptions& options);

}  // namespace onnxpress
