// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "calib/staged_run.h"
#include "numerics/block_obs.h"
#include "passes/pass.h"
#include "passes/pruning/prunable_layers.h"

namespace onnxpress {

// A reader of one of several layers.
struct LayerReader {
  std::size_t layer = 0, reader = 0;
  const LinearUnit* unit = nullptr;  // of the context's view
};

// Those of all layers, in the order of the graph. Good until the context's graph is edited.
[[nodiscard]] std::vector<LayerReader> readers_of(PassContext& context,
                                                  const std::vector<const PrunableLayer*>& layers);

// What readers get to read in a model that is edited on the way, from the bottom up.
class LayerMoments {
 public:
  // `working` must outlive it; the context must have data.
  LayerMoments(PassContext& context, const Model& working);
  // Readers in the order of the graph. Nothing where the data hold no rows.
  [[nodiscard]] std::optional<Gram> at(const LayerReader& reader);

 private:
  PassContext& context_;
  const Model& working_;
  const Model original_;
  StagedRun run_;
};

// E[x²]·‖w‖² summed over each unit's rows.
[[nodiscard]] std::vector<double> activation_scores(const Graph& graph, const LayerReader& reader,
                                                    const Gram& gram, std::int64_t rows_per_unit);

// The share of the output's energy that is lost with each unit, others making up for it, in the
// order in which they would go, `step` at a time: never falls along that order.
[[nodiscard]] std::vector<double> obs_scores(const Graph& graph, const LayerReader& reader,
                                             const Gram& gram, const PrunableLayer& layer,
                                             std::int64_t step, ThreadPool& pool);

// ‖XW‖², of which obs_scores and ReaderObs::cost are shares.
[[nodiscard]] double output_energy(const Graph& graph, const LayerReader& reader, const Gram& gram,
                                   ThreadPool& pool);

// Sets the rows of units to zero.
void zero_units(Graph& graph, const LinearUnit& unit, std::span<const std::int64_t> units,
                std::int64_t rows_per_unit);

// BlockObs of a reader's weights in `graph`, with its bias where it has one.
class ReaderObs {
 public:
  ReaderObs(const Graph& graph, const LayerReader& reader, const Gram& gram,
            std::int64_t rows_per_unit, ThreadPool& pool);

  // Those that cost least, ascending by cost; the lowest numbers where costs are not known.
  [[nodiscard]] std::vector<std::int64_t> weakest(std::int64_t count, ThreadPool& pool) const;
  void remove(std::span<const std::int64_t> units, ThreadPool& pool);
  // What ‖XW - XW'‖² grows by without these units too, the others making up for it. Nothing where H
  // can't be factored.
  [[nodiscard]] std::optional<double> cost(std::span<const std::int64_t> units,
                                           ThreadPool& pool) const;
  // The model with the weights as they are now, and without further units.
  [[nodiscard]] Model variant(const Model& model) const;
  [[nodiscard]] Model variant_without(const Model& model, std::span<const std::int64_t> units,
                                      ThreadPool& pool) const;

 private:
  [[nodiscard]] Model with(const Model& model, const Matrix& w) const;

  const LinearUnit& unit_;
  std::int64_t rows_per_unit_;
  bool centred_;
  BlockObs obs_;
  Matrix plain_;  // where H can't be factored: rows are only set to zero
  std::vector<bool> gone_;
};

}  // namespace onnxpress
