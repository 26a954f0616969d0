// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/error_codes.h"
#include "passes/pruning/prune_layers.h"
#include "passes/pruning/unit_scores.h"

namespace onnxpress {

OptionTable<PruneOptions> prune_option_table(PrunableKind kind) {
  const bool heads = kind == PrunableKind::heads;
  return {
      {"ratio", &PruneOptions::ratio,
       heads ? "share of the heads that go, between 0 and 1"
             : "share of the neurons that go, between 0 and 1"},
      {"count",
       &PruneOptions::count,
       "how many go instead: of each layer, or of the model; 0: by ratio",
       {},
       0},
      {"scope",
       &PruneOptions::scope,
       "the lowest scores of the whole model go, or of each layer",
       {"global", "layer"}},
      {"scores", &PruneOptions::scores,
       heads
           ? "what a head is worth. norm: of its rows of the output projection; activation: these "
             "times what it computes on data; obs: what the output loses if the other heads make "
             "up for it; ablation: what the model's outputs lose by that, measured; auto: ablation "
             "with data, norm without"
           : "what neurons are worth. norm: of column of up and row of down; activation: of the "
             "row, times what it computes on data; obs: what the output loses if the others make "
             "up for it; ablation: in that order, as many of each layer as cost the model's "
             "outputs least, measured; auto: ablation with data, norm without",
       unit_score_names()},
      {"refit", &PruneOptions::refit,
       "with data: fit the rows that are left to the original's outputs, kept where that helps on "
       "held-out samples"},
      {"include", &PruneOptions::include,
       heads ? "globs over output projections: only these"
             : "globs over down products: only these"},
      {"exclude", &PruneOptions::exclude,
       heads ? "globs over output projections: not these" : "globs over down products: not these"}};
}

void check_options(PrunableKind kind, const PruneOptions& options) {
  if (!(options.ratio > 0 && options.ratio < 1)) {
    throw Error(
        codes::bad_option,
        fmt::format("pass prune_{}: ratio must lie between 0 and 1, both excluded, and is {}",
                    name(kind), options.ratio),
        "0.25 removes a quarter");
  }
}

}  // namespace onnxpress
