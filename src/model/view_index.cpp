// SPDX-License-Identifier: Apache-2.0
#include "model/view_index.h"

#include "model/graph_walk.h"

namespace onnxpress {
namespace {

constexpr int kMaxSteps = 64;
constexpr std::size_t kMaxReaders = 64;

std::size_t at(ValueId value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

ViewIndex::ViewIndex(const Graph& graph, const SymbolicShapes& shapes,
                     std::span<const LinearUnit> units, std::span<const patterns::NormMatch> norms,
                     std::span<const patterns::ActivationMatch> activations)
    : graph_(graph),
      units_(units),
      norms_(norms),
      activations_(activations),
      shapes_(shapes),
      unit_by_value_(graph.value_capacity(), -1),
      unit_by_node_(graph.node_capacity(), -1),
      norm_by_value_(graph.value_capacity(), -1),
      activation_by_value_(graph.value_capacity(), -1),
      next_reader_(norms.size(), -1),
      first_reader_(graph.value_capacity(), -1) {
  for (std::size_t i = 0; i < units.size(); ++i) {
    const auto index = static_cast<std::int32_t>(i);
    unit_by_value_[at(units[i].output)] = index;
    unit_by_value_[at(units[i].biased_output)] = index;
    unit_by_node_[static_cast<std::size_t>(units[i].product)] = index;
  }
  for (std::size_t i = 0; i < norms.size(); ++i) {
    norm_by_value_[at(norms[i].output)] = static_cast<std::int32_t>(i);
    if (norms[i].input == kNoValue) continue;
    next_reader_[i] = first_reader_[at(norms[i].input)];
    first_reader_[at(norms[i].input)] = static_cast<std::int32_t>(i);
  }
  for (std::size_t i = 0; i < activations.size(); ++i) {
    activation_by_value_[at(activations[i].output)] = static_cast<std::int32_t>(i);
  }
}

std::optional<std::size_t> ViewIndex::unit_of(ValueId value) const {
  if (value == kNoValue || unit_by_value_[at(value)] < 0) return std::nullopt;
  return static_cast<std::size_t>(unit_by_value_[at(value)]);
}

std::optional<std::size_t> ViewIndex::unit_of_product(NodeId product) const {
  const std::int32_t index = unit_by_node_[static_cast<std::size_t>(product)];
  if (index < 0) return std::nullopt;
  return static_cast<std::size_t>(index);
}

const patterns::NormMatch* ViewIndex::norm_of(ValueId output) const {
  if (output == kNoValue || norm_by_value_[at(output)] < 0) return nullptr;
  return &norms_[static_cast<std::size_t>(norm_by_value_[at(output)])];
}

const patterns::ActivationMatch* ViewIndex::activation_of(ValueId output) const {
  if (output == kNoValue || activation_by_value_[at(output)] < 0) return nullptr;
  return &activations_[static_cast<std::size_t>(activation_by_value_[at(output)])];
}

std::vector<const patterns::NormMatch*> ViewIndex::norms_reading(ValueId input) const {
  std::vector<const patterns::NormMatch*> found;
  if (input == kNoValue) return found;
  for (std::int32_t i = first_reader_[at(input)]; i >= 0;
       i = next_reader_[static_cast<std::size_t>(i)]) {
    if (found.size() == kMaxReaders) break;
    found.push_back(&norms_[static_cast<std::size_t>(i)]);
  }
  return found;
}

std::optional<std::size_t> ViewIndex::unit_behind(ValueId value, bool through_norms) const {
  for (int step = 0; step < kMaxSteps && value != kNoValue; ++step) {
    if (const auto unit = unit_of(value)) return unit;
    const patterns::NormMatch* norm = norm_of(value);
    if (norm != nullptr) {
      if (!through_norms || norm->residual != kNoValue) return std::nullopt;
      value = norm->input;
      continue;
    }
    const Node* node = graph_.producer(value);
    if (node == nullptr) return std::nullopt;
    value = transparent_input(graph_, *node);
  }
  return std::nullopt;
}

}  // namespace onnxpress
