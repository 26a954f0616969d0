// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/error_codes.h"
#include "passes/pruning/latency_table.h"
#include "passes/pruning/prune_layers.h"

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
      {"scores",
       &PruneOptions::scores,
       heads
           ? "what a head is worth. norm: of its rows of the output projection; activation: these "
             "times what it computes on data; obs: what the output loses if the other heads make "
             "up for it; ablation: what the model's outputs lose by that, measured; auto: ablation "
             "with data, norm without"
           : "what neurons are worth. norm: of column of up and row of down; activation: of the "
             "row, times what it computes on data; obs: what the output loses if the others make "
             "up for it; ablation: in that order, as many of each layer as cost the model's "
             "outputs least, measured; auto: ablation with data, norm without",
       {"auto", "norm", "activation", "obs", "ablation"}},
      {"refit", &PruneOptions::refit,
       "with data: fit the rows that are left, and what lies behind them, to the original's "
       "outputs, kept where that helps on held-out samples"},
      {"budget",
       &PruneOptions::budget,
       "what ratio is a share of. units: no more than this share of them goes; size: at least this "
       "share of the bytes of all weights of the model; latency: of its time",
       {"units", "size", "latency"}},
      {"latency_shape", &PruneOptions::latency_shape,
       "batch and tokens that latency is measured at; empty: 1x128, or what the table says"},
      {"latency_table", &PruneOptions::latency_table,
       "what each number of units saves, as sensitivity --latency-table writes it; empty: measured "
       "here and now"},
      {"include", &PruneOptions::include,
       heads ? "globs over output projections: only these"
             : "globs over down products: only these"},
      {"exclude", &PruneOptions::exclude,
       heads ? "globs over output projections: not these" : "globs over down products: not these"}};
}

void check_options(PrunableKind kind, const PruneOptions& options) {
  const auto refuse = [&](const std::string& why, const std::string& hint) {
    throw Error(codes::bad_option, fmt::format("pass prune_{}: {}", name(kind), why), hint);
  };
  if (!(options.ratio > 0 && options.ratio < 1)) {
    refuse(fmt::format("ratio must lie between 0 and 1, both excluded, and is {}", options.ratio),
           "0.25 removes a quarter");
  }
  if (options.budget != "units" && options.count > 0) {
    refuse(fmt::format("count = {} counts units, but budget = {}", options.count, options.budget),
           "give a ratio instead");
  }
  if (options.budget != "units" && options.scope == "layer") {
    refuse(fmt::format("budget = {} is one of the whole model, but scope = layer", options.budget),
           "leave scope out");
  }
  if (options.budget != "latency" &&
      !(options.latency_table.empty() && options.latency_shape.empty())) {
    refuse(fmt::format("latency_shape and latency_table are for budget = latency, not {}",
                       options.budget),
           "add budget = \"latency\"");
  }
  if (!options.latency_shape.empty()) (void)parse_sizes(options.latency_shape);
}

}  // namespace onnxpress
