// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/part_scores.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "passes/pruning/ablation.h"
#include "passes/pruning/cut_savings.h"
#include "passes/pruning/layer_moments.h"
#include "passes/pruning/unit_scores.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kNeuronParts = 16;

using Units = std::vector<std::int64_t>;

class Scoring {
 public:
  Scoring(PassContext& context, PrunableKind kind, const std::function<void(double)>& done)
      : context_(context),
        done_(done),
        layers_(find_prunable_layers(context.graph(), context.view(), kind)) {
    for (const PrunableLayer& layer : layers_) {
      if (layer.possible()) {
        candidates_.push_back(&layer);
      } else {
        result_.left_out.push_back(fmt::format("{}: {}", layer.label(), layer.why_not));
      }
    }
    parts_.resize(candidates_.size());
    groups_.resize(candidates_.size());
  }

  PartScoresOfKind run() {
    for (const PrunableLayer* layer : candidates_) {
      norms_.push_back(norm_scores(context_.graph(), context_.view(), *layer));
    }
    const bool data = context_.calibration() != nullptr && context_.calibration()->set;
    if (data) {
      score_on_data();
    } else {
      for (std::size_t i = 0; i < candidates_.size(); ++i) group(i, ascending(norms_[i]));
    }
    for (auto& parts : parts_) {
      for (PartScores& part : parts) result_.parts.push_back(std::move(part));
    }
    return std::move(result_);
  }

 private:
  void score_on_data() {
    const Model model = context_.model();
    AblationRun ablation(model, *context_.calibration());
    result_.loss_is_kl = ablation.measures_kl();
    LayerMoments moments(context_, model);
    const std::vector<LayerReader> readers = readers_of(context_, candidates_);
    for (std::size_t at = 0; at < readers.size(); ++at) {
      const LayerReader& reader = readers[at];
      const auto gram = moments.at(reader);
      if (!gram) continue;
      const auto step = [&](double part) {
        done_((static_cast<double>(at) + part) / static_cast<double>(readers.size()));
      };
      const PrunableLayer& layer = *candidates_[reader.layer];
      const ReaderObs obs(model.graph, reader, *gram, layer.rows_per_unit, context_.pool());
      if (groups_[reader.layer].empty()) group(reader.layer, in_order(obs, layer));
      add_output_scores(model, reader, *gram, obs);
      if (layer.readers.size() > 1) {
        if (reader.reader + 1 < layer.readers.size()) continue;
        ablation.restart();
        measure(reader.layer, ablation, step, [&](const Units& units) {
          Model variant = model;
          for (const LayerReader& other : readers) {
            if (other.layer == reader.layer) {
              zero_units(variant.graph, *other.unit, units, layer.rows_per_unit);
            }
          }
          return variant;
        });
        ablation.restart();
        continue;
      }
      ablation.advance(model, reader.unit->input);
      measure(reader.layer, ablation, step, [&](const Units& units) {
        return obs.variant_without(model, units, context_.pool());
      });
    }
  }

  static Units ascending(const std::vector<double>& scores) {
    Units order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(
        order, {}, [&](std::int64_t unit) { return scores[static_cast<std::size_t>(unit)]; });
    return order;
  }

  // Neurons as they go, a sixteenth at a time; heads as they stand.
  Units in_order(const ReaderObs& intact, const PrunableLayer& layer) {
    Units order;
    if (layer.kind == PrunableKind::heads) return order;
    ReaderObs obs = intact;
    for (std::int64_t part = 1; part <= kNeuronParts; ++part) {
      const std::int64_t until = layer.units * part / kNeuronParts;
      const auto units =
          obs.weakest(until - static_cast<std::int64_t>(order.size()), context_.pool());
      order.insert(order.end(), units.begin(), units.end());
      if (part < kNeuronParts) obs.remove(units, context_.pool());
    }
    return order;
  }

  // Makes the parts of a layer, of neurons in the order in which they go.
  void group(std::size_t i, const Units& order) {
    const PrunableLayer& layer = *candidates_[i];
    const std::array one{&layer};
    const CutSavings savings = size_savings(context_.graph(), one);
    const double unit_bytes =
        layer.units > 1 ? savings.layers.front().back() / static_cast<double>(layer.units - 1) : 0;
    const bool heads = layer.kind == PrunableKind::heads;
    const std::int64_t count = heads ? layer.units : std::min(kNeuronParts, layer.units);
    for (std::int64_t part = 0; part < count; ++part) {
      Units units{part};
      std::string name;
      if (heads) {
        std::vector<std::int64_t> numbers(static_cast<std::size_t>(layer.parts_per_unit));
        std::iota(numbers.begin(), numbers.end(), part * layer.parts_per_unit);
        name =
            fmt::format("{} {}", numbers.size() == 1 ? "head" : "heads", fmt::join(numbers, ", "));
      } else {
        units.assign(order.begin() + layer.units * part / count,
                     order.begin() + layer.units * (part + 1) / count);
        name = fmt::format("neurons {}/{}", part + 1, count);
      }
      double squares = 0;
      for (const std::int64_t unit : units) {
        const double norm = norms_[i][static_cast<std::size_t>(unit)];
        squares += norm * norm;
      }
      parts_[i].push_back({layer.label(), std::move(name),
                           std::llround(unit_bytes * static_cast<double>(units.size())),
                           std::sqrt(squares)});
      groups_[i].push_back(std::move(units));
    }
  }

  void add_output_scores(const Model& model, const LayerReader& reader, const Gram& gram,
                         const ReaderObs& obs) {
    const std::int64_t per_unit = candidates_[reader.layer]->rows_per_unit;
    const auto activation = activation_scores(model.graph, reader, gram, per_unit);
    const double energy = output_energy(model.graph, reader, gram, context_.pool());
    for (std::size_t part = 0; part < groups_[reader.layer].size(); ++part) {
      PartScores& scores = parts_[reader.layer][part];
      const Units& units = groups_[reader.layer][part];
      double sum = 0;
      for (const std::int64_t unit : units) sum += activation[static_cast<std::size_t>(unit)];
      scores.activation = scores.activation.value_or(0) + sum;
      const auto cost = obs.cost(units, context_.pool());
      if (cost && energy > 0) scores.obs = scores.obs.value_or(0) + *cost / energy;
    }
  }

  void measure(std::size_t layer, AblationRun& ablation, const std::function<void(double)>& step,
               const std::function<Model(const Units&)>& without) {
    const auto& groups = groups_[layer];
    for (std::size_t part = 0; part < groups.size(); ++part) {
      step(static_cast<double>(part) / static_cast<double>(groups.size()));
      parts_[layer][part].loss = ablation.measure(without(groups[part]));
    }
  }

  PassContext& context_;
  const std::function<void(double)>& done_;
  std::vector<PrunableLayer> layers_;
  std::vector<const PrunableLayer*> candidates_;
  std::vector<std::vector<double>> norms_;
  std::vector<std::vector<PartScores>> parts_;  // by candidate
  std::vector<std::vector<Units>> groups_;      // the units of each part
  PartScoresOfKind result_;
};

}  // namespace

PartScoresOfKind score_parts(PassContext& context, PrunableKind kind,
                             const std::function<void(double)>& done) {
  return Scoring(context, kind, done).run();
}

}  // namespace onnxpress
