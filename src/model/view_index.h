// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ir/graph.h"
#include "ir/patterns/activation.h"
#include "ir/patterns/norm.h"
#include "model/linear_unit.h"
#include "model/symbolic_shapes.h"

namespace onnxpress {

// What is known of a graph while its view is made: who computes which value.
class ViewIndex {
 public:
  ViewIndex(const Graph& graph, const SymbolicShapes& shapes, std::span<const LinearUnit> units,
            std::span<const patterns::NormMatch> norms,
            std::span<const patterns::ActivationMatch> activations);

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const SymbolicShapes& shapes() const { return shapes_; }
  [[nodiscard]] const LinearUnit& unit(std::size_t index) const { return units_[index]; }
  [[nodiscard]] std::size_t unit_count() const { return units_.size(); }

  // The unit that computes the value, with or without its bias.
  [[nodiscard]] std::optional<std::size_t> unit_of(ValueId value) const;
  [[nodiscard]] std::optional<std::size_t> unit_of_product(NodeId product) const;
  // The norm or activation that computes the value; nullptr where none does.
  [[nodiscard]] const patterns::NormMatch* norm_of(ValueId output) const;
  [[nodiscard]] const patterns::ActivationMatch* activation_of(ValueId output) const;
  // The norms that read the value, the first few if there are very many.
  [[nodiscard]] std::vector<const patterns::NormMatch*> norms_reading(ValueId input) const;

  // The unit whose result reaches `value` through nodes that move, scale or shift it (and through
  // norms, if asked). Nothing where two computed values were joined on the way.
  [[nodiscard]] std::optional<std::size_t> unit_behind(ValueId value, bool through_norms) const;

 private:
  const Graph& graph_;
  std::span<const LinearUnit> units_;
  std::span<const patterns::NormMatch> norms_;
  std::span<const patterns::ActivationMatch> activations_;
  const SymbolicShapes& shapes_;
  std::vector<std::int32_t> unit_by_value_, unit_by_node_, norm_by_value_, activation_by_value_;
  std::vector<std::int32_t> next_reader_, first_reader_;  // lists of norms by input
};

}  // namespace onnxpress
