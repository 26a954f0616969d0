// SPDX-License-Identifier: Apache-2.0
#include "passes/prune_heads.h"

#include "passes/pruning/prune_layers.h"

namespace onnxpress {
namespace {

const OptionTable<PruneOptions>& table() {
  static const OptionTable<PruneOptions> rows = prune_option_table(PrunableKind::heads);
  return rows;
}

}  // namespace

PassInfo prune_heads_info() {
  return {"prune_heads", "attention heads go, with all that computes them",
          "Cuts the heads with the lowest scores out of the model: their columns of the Q, K and V "
          "weights and biases, their rows of the output projection, their place in masks, position "
          "biases and shapes. Without data the model then computes what it computed with these "
          "rows set to zero. With data, heads go by what the model's outputs are measured to lose, "
          "and the rows that are left are fitted to the original's outputs by least squares, "
          "layer by layer. Query heads that share a key/value head go together; so do blocks that "
          "share weights. A block of which anything is not understood stays whole, with the "
          "reason.",
          describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
            return prune_pass(PrunableKind::heads,
                              read_options(table(), values, "pass prune_heads"));
          }};
}

}  // namespace onnxpress
