// SPDX-License-Identifier: Apache-2.0
#include "passes/prune_neurons.h"

#include "passes/pruning/prune_layers.h"

namespace onnxpress {
namespace {

const OptionTable<PruneOptions>& table() {
  static const OptionTable<PruneOptions> rows = [] {
    OptionTable<PruneOptions> all = prune_option_table(PrunableKind::neurons);
    all.push_back({"multiple_of",
                   &PruneOptions::multiple_of,
                   "kept neurons of a layer come in such steps; 0: 32, less for narrow layers",
                   {},
                   0});
    return all;
  }();
  return rows;
}

}  // namespace

PassInfo prune_neurons_info() {
  return {"prune_neurons", "neurons of feed-forward blocks go, with all that computes them",
          "Cuts the intermediate neurons with the lowest scores out of the feed-forward blocks: "
          "their columns of up and gate, their biases, their rows of down. Without data the model "
          "then computes what it computed with these rows set to zero. With data, as many go of "
          "each block as cost the model's outputs least, measured, and the rows that are left are "
          "fitted to the original's outputs by least squares, layer by layer. Blocks that share "
          "weights are cut together. A block of which anything is not understood stays whole, "
          "with the reason.",
          describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
            return prune_pass(PrunableKind::neurons,
                              read_options(table(), values, "pass prune_neurons"));
          }};
}

}  // namespace onnxpress
