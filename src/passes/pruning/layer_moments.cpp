// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/layer_moments.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "calib/moments.h"
#include "numerics/output_error.h"
#include "passes/pruning/reader_weights.h"
#include "passes/unit_bias.h"

namespace onnxpress {
namespace {

constexpr double kDamping = 1e-3;

void zero_rows(Matrix& w, std::span<const std::int64_t> units, std::int64_t rows_per_unit) {
  for (const std::int64_t unit : units) {
    std::fill_n(w.row(unit * rows_per_unit), rows_per_unit * w.columns, 0.0F);
  }
}

// ‖XW‖²
double energy_of(const Matrix& w, const Gram& gram, ThreadPool& pool) {
  Matrix xx(gram.size, gram.size);
  std::ranges::transform(gram.xx, xx.values.begin(),
                         [](double x) { return static_cast<float>(x); });
  const Matrix moved = product(xx, w, pool);
  double sum = 0;
  for (std::size_t i = 0; i < w.values.size(); ++i) {
    sum += static_cast<double>(w.values[i]) * static_cast<double>(moved.values[i]);
  }
  return sum;
}

}  // namespace

std::vector<LayerReader> readers_of(PassContext& context,
                                    const std::vector<const PrunableLayer*>& layers) {
  const TransformerView& view = context.view();
  std::map<NodeId, std::size_t> places;
  for (const NodeId id : context.graph().nodes()) places.emplace(id, places.size());
  std::vector<LayerReader> readers;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (std::size_t r = 0; r < layers[i]->readers.size(); ++r) {
      const auto unit = view.unit_of(layers[i]->readers[r].product);
      if (unit) readers.push_back({i, r, &view.units()[*unit]});
    }
  }
  std::ranges::sort(readers, {},
                    [&](const LayerReader& reader) { return places.at(reader.unit->product); });
  return readers;
}

LayerMoments::LayerMoments(PassContext& context, const Model& working)
    : context_(context),
      working_(working),
      original_(context.model()),
      run_(original_, *context.calibration()->set, {.session = context.calibration()->session}) {}

std::optional<Gram> LayerMoments::at(const LayerReader& reader) {
  StageMoments moments = observe_moments(run_, working_, reader.unit->input, context_.pool());
  Gram gram = std::move(moments.train.edited);
  if (gram.rows == 0) return std::nullopt;
  if (moments.held_out.edited.rows > 0) gram += moments.held_out.edited;
  return gram;
}

std::vector<double> activation_scores(const Graph& graph, const LayerReader& reader,
                                      const Gram& gram, std::int64_t rows_per_unit) {
  const Matrix w = weights_of(graph, *reader.unit);
  std::vector<double> scores(static_cast<std::size_t>(w.rows / rows_per_unit));
  for (std::int64_t i = 0; i < w.rows; ++i) {
    double energy = 0;
    for (std::int64_t j = 0; j < w.columns; ++j) {
      energy += static_cast<double>(w(i, j)) * static_cast<double>(w(i, j));
    }
    scores[static_cast<std::size_t>(i / rows_per_unit)] +=
        energy * gram.at(i, i) / static_cast<double>(gram.rows);
  }
  return scores;
}

std::vector<double> obs_scores(const Graph& graph, const LayerReader& reader, const Gram& gram,
                               const PrunableLayer& layer, std::int64_t step, ThreadPool& pool) {
  Matrix w = weights_of(graph, *reader.unit);
  const double energy = energy_of(w, gram, pool);
  std::vector<double> scores(static_cast<std::size_t>(layer.units));
  BlockObs obs(gram, std::move(w), layer.rows_per_unit,
               {.damping = kDamping, .centred = has_own_bias(graph, *reader.unit)}, pool);
  if (!obs.usable() || !(energy > 0)) {
    return activation_scores(graph, reader, gram, layer.rows_per_unit);
  }
  double highest = 0;
  std::int64_t left = layer.units;
  while (left > 0) {
    const std::vector<double> costs = obs.costs(pool);
    std::vector<std::int64_t> units;
    for (std::int64_t unit = 0; unit < layer.units; ++unit) {
      if (!obs.is_removed(unit)) units.push_back(unit);
    }
    std::ranges::stable_sort(
        units, {}, [&](std::int64_t unit) { return costs[static_cast<std::size_t>(unit)]; });
    const std::int64_t count = left <= 2 * step ? left : step;
    units.resize(static_cast<std::size_t>(count));
    for (const std::int64_t unit : units) {
      highest = std::max(highest, costs[static_cast<std::size_t>(unit)] / energy);
      scores[static_cast<std::size_t>(unit)] = highest;
    }
    left -= count;
    if (left > 0) obs.remove(units, pool);
  }
  return scores;
}

double output_energy(const Graph& graph, const LayerReader& reader, const Gram& gram,
                     ThreadPool& pool) {
  return energy_of(weights_of(graph, *reader.unit), gram, pool);
}

void zero_units(Graph& graph, const LinearUnit& unit, std::span<const std::int64_t> units,
                std::int64_t rows_per_unit) {
  Matrix w = weights_of(graph, unit);
  zero_rows(w, units, rows_per_unit);
  set_weights(graph, unit, w, {});
}

ReaderObs::ReaderObs(const Graph& graph, const LayerReader& reader, const Gram& gram,
                     std::int64_t rows_per_unit, ThreadPool& pool)
    : unit_(*reader.unit),
      rows_per_unit_(rows_per_unit),
      centred_(has_own_bias(graph, unit_)),
      obs_(gram, weights_of(graph, unit_), rows_per_unit,
           {.damping = kDamping, .centred = centred_}, pool),
      plain_(weights_of(graph, unit_)),
      gone_(static_cast<std::size_t>(plain_.rows / rows_per_unit)) {}

std::vector<std::int64_t> ReaderObs::weakest(std::int64_t count, ThreadPool& pool) const {
  std::vector<double> costs(gone_.size());
  if (obs_.usable()) costs = obs_.costs(pool);
  std::vector<std::int64_t> units;
  for (std::size_t i = 0; i < gone_.size(); ++i) {
    if (!gone_[i]) units.push_back(static_cast<std::int64_t>(i));
  }
  std::ranges::stable_sort(
      units, {}, [&](std::int64_t unit) { return costs[static_cast<std::size_t>(unit)]; });
  units.resize(std::min(units.size(), static_cast<std::size_t>(count)));
  return units;
}

void ReaderObs::remove(std::span<const std::int64_t> units, ThreadPool& pool) {
  for (const std::int64_t unit : units) gone_[static_cast<std::size_t>(unit)] = true;
  zero_rows(plain_, units, rows_per_unit_);
  if (obs_.usable()) obs_.remove(units, pool);
}

std::optional<double> ReaderObs::cost(std::span<const std::int64_t> units, ThreadPool& pool) const {
  return obs_.usable() ? std::optional(obs_.cost(units, pool)) : std::nullopt;
}

Model ReaderObs::with(const Model& model, const Matrix& w) const {
  Model variant = model;
  const auto bias = obs_.usable() && centred_ ? obs_.bias_change(w) : std::vector<float>();
  set_weights(variant.graph, unit_, w, bias);
  return variant;
}

Model ReaderObs::variant(const Model& model) const {
  return with(model, obs_.usable() ? obs_.weights() : plain_);
}

Model ReaderObs::variant_without(const Model& model, std::span<const std::int64_t> units,
                                 ThreadPool& pool) const {
  if (obs_.usable()) return with(model, obs_.without(units, pool));
  Matrix w = plain_;
  zero_rows(w, units, rows_per_unit_);
  return with(model, w);
}

}  // namespace onnxpress
