// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "passes/pruning/prunable_layers.h"

namespace onnxpress {

// How much a model loses with each unit of a layer: the units with the lowest scores go first.
// Scores that look at data or run the model are made with what they need.
class UnitScore {
 public:
  virtual ~UnitScore() = default;
  // One number for each unit, at least 0. Blocks that are cut together have their scores summed.
  [[nodiscard]] virtual std::vector<double> of(const PrunableLayer& layer) const = 0;
  // False where numbers of different layers have no common unit: they are then divided by their
  // layer's root mean square before layers are compared (Michel et al. 2019).
  [[nodiscard]] virtual bool compares_layers() const { return false; }
};

// Names for the option `score`.
[[nodiscard]] const std::vector<std::string>& unit_score_names();
// graph and view must outlive the score.
[[nodiscard]] std::unique_ptr<UnitScore> make_unit_score(std::string_view name, const Graph& graph,
                                                         const TransformerView& view);

}  // namespace onnxpress
