// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "passes/options.h"
#include "passes/pass.h"
#include "passes/pruning/prunable_layers.h"

namespace onnxpress {

// Options of passes that remove heads or neurons.
struct PruneOptions {
  double ratio = 0.25;
  std::int64_t count = 0;
  std::string scope = "global";
  std::string scores = "auto";
  bool refit = true;
  std::int64_t multiple_of = 0;  // neurons only
  std::string budget = "units";
  std::string latency_shape;  // "": 1x128, or the table's
  std::string latency_table;  // "": measured here
  std::vector<std::string> include;
  std::vector<std::string> exclude;
};

// Their rows but `multiple_of`. Throws Error (bad_option) in prune_pass where they can't be.
[[nodiscard]] OptionTable<PruneOptions> prune_option_table(PrunableKind kind);

// Throws Error (bad_option) where the numbers make no sense.
void check_options(PrunableKind kind, const PruneOptions& options);

// The pass: scores the units of all layers, chooses those that stay, and cuts.
[[nodiscard]] std::unique_ptr<Pass> prune_pass(PrunableKind kind, PruneOptions options);

}  // namespace onnxpress
