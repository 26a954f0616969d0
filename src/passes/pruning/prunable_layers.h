// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/transformer_view.h"
#include "passes/pruning/axis_cut.h"

namespace onnxpress {

enum class PrunableKind { heads, neurons };
[[nodiscard]] std::string_view name(PrunableKind kind);  // "heads", "neurons"

// A product that reads what a layer's units compute: the output projection of an attention block,
// or the `down` of a feed-forward block. Its rows unit · rows_per_unit + i belong to one unit.
struct PrunableReader {
  std::string label;  // the product's, as `inspect` shows it
  NodeId product{};
  ValueId weight = kNoValue;  // as stored when the layer was found
  WeightLayout layout = WeightLayout::in_out;
  std::int64_t rows = 0;
  std::optional<UnitIndex> up{};  // of neurons: the product whose column is the neuron
};

// What can lose heads or neurons: one attention or feed-forward block, or several that share
// weights or position biases and so can only be cut together.
//
// A unit is the least that can go: a head; a key/value head with all query heads that read it; a
// neuron with its gate.
struct PrunableLayer {
  PrunableKind kind = PrunableKind::heads;
  std::vector<PrunableReader> readers;  // one for each block, in the order of the graph
  std::int64_t units = 0;
  std::int64_t parts_per_unit = 1;  // query heads in each
  std::int64_t rows_per_unit = 1;   // of each reader
  std::string why_not;              // "" where it can be cut
  bool quantized = false;           // with a reason: prune before quantizing

  [[nodiscard]] const std::string& label() const { return readers.front().label; }
  [[nodiscard]] bool possible() const { return why_not.empty(); }
};

// The attention or feed-forward blocks of a model. Those that can't be cut carry the reason.
[[nodiscard]] std::vector<PrunableLayer> find_prunable_layers(const Graph& graph,
                                                              const TransformerView& view,
                                                              PrunableKind kind);

// What is left of a layer: `rows[r]` are the rows of reader r's old weight that its new weight has,
// in order: refits take the same rows of the inputs' moments.
struct LayerCut {
  std::vector<std::vector<std::int64_t>> rows;
  std::string why_not;  // "" where it was done; else the graph is as before

  [[nodiscard]] bool done() const { return why_not.empty(); }
};

// Takes all units but `kept` (ascending, at least one) out of the graph: see apply_cut. The ids of
// products stay good, other layers can be cut next; views must be made anew.
[[nodiscard]] LayerCut cut_layer(Graph& graph, const PrunableLayer& layer,
                                 std::span<const std::int64_t> kept, bool sizes_only = false);

}  // namespace onnxpress
