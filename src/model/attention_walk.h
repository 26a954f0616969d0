// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "model/view_index.h"

// The walks that lead from a Softmax to the rest of its attention block.
namespace onnxpress {

// Both factors of the product are computed from what flows through the model.
[[nodiscard]] bool joins_two_values(const ViewIndex& index, NodeId id);

// q·kᵀ, and what is done to it before the Softmax.
struct Scores {
  NodeId product{};
  bool biased = false;                 // something is added, or chosen by a mask
  std::optional<double> factor = 1.0;  // nothing where a factor is computed
};

// The product that feeds `input` on the shortest way; those that give position terms are gathered
// or shifted on their way, and so are not reached.
[[nodiscard]] std::optional<Scores> find_scores(const ViewIndex& index, ValueId input);

// The first use behind `value` that fits, through nodes that keep probabilities or a context.
[[nodiscard]] std::optional<Use> find_forward(const ViewIndex& index, ValueId value,
                                              bool through_norms,
                                              const std::function<bool(const Use&)>& fits);

// The units that an operand of attention comes from, and what happens on the way.
struct Origin {
  std::vector<std::size_t> units;
  std::optional<std::size_t> main;  // the largest of them
  bool rotary = false;
  double factor = 1;  // product of the constants that it is multiplied by
};
[[nodiscard]] Origin find_origin(const ViewIndex& index, ValueId operand);

}  // namespace onnxpress
