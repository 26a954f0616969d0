// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/measured_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "passes/pruning/ablation.h"
#include "passes/pruning/allocate_units.h"
#include "passes/pruning/layer_moments.h"

namespace onnxpress {
namespace {

constexpr int kRounds = 3;
constexpr float kTemperature = 4;                 // see AblationRun
constexpr std::size_t kMostBytesKept = 64 << 20;  // of Grams
constexpr double kLeastScore = 1e-12;             // of units that are still there
constexpr double kNotMeasured = 1e6;              // is added to scores of an earlier round
constexpr std::int64_t kFinestSteps = 64;         // numbers of neurons that a layer may lose
constexpr std::size_t kMeasuredCuts = 8;          // of these, for which the loss is measured
constexpr double kMostOfShare = 3;  // a layer loses at most so many times the share of all
constexpr double kLeastOfMost = 0.5;

std::vector<std::int64_t> complement(const std::vector<std::int64_t>& some, std::int64_t all) {
  std::vector<std::int64_t> others;
  for (std::int64_t i = 0; i < all; ++i) {
    if (std::ranges::find(some, i) == some.end()) others.push_back(i);
  }
  return others;
}

class Choice {
 public:
  Choice(PassContext& context, const std::vector<const PrunableLayer*>& layers,
         const std::vector<ScoredLayer>& scored, const PruningTarget& target,
         const std::function<void(double)>& done)
      : context_(context),
        layers_(layers),
        scored_(scored),
        target_(target),
        done_(done),
        readers_(readers_of(context, layers)) {}

  std::vector<LayerChoice> by_layer_scores(DataScore score) {
    Model model = context_.model();
    LayerMoments moments(context_, model);
    for (ScoredLayer& layer : scored_) layer.scores.assign(layer.scores.size(), 0);
    for (const LayerReader& reader : readers_) {
      progress(reader, 0, 1);
      const auto gram = moments.at(reader);
      if (!gram) continue;
      const std::int64_t per_unit = layers_[reader.layer]->rows_per_unit;
      const auto scores = score == DataScore::activation
                              ? activation_scores(model.graph, reader, *gram, per_unit)
                              : obs_scores(model.graph, reader, *gram, *layers_[reader.layer],
                                           scored_[reader.layer].multiple_of, context_.pool());
      for (std::size_t i = 0; i < scores.size(); ++i) {
        scored_[reader.layer].scores[i] += scores[i];
      }
    }
    return chosen(choose_units(scored_, target_, score == DataScore::obs));
  }

  std::vector<LayerChoice> units_by_ablation() {
    AblationRun ablation(context_.model(), *context_.calibration(), kTemperature);
    std::vector<std::vector<std::int64_t>> kept;
    Model working = context_.model();
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::vector<std::int64_t>> gone(layers_.size());
      for (std::size_t i = 0; i < layers_.size() && round > 0; ++i) {
        gone[i] = complement(kept[i], layers_[i]->units);
      }
      if (round > 0) working = compensated(gone);
      double base = 0;  // what those that are gone cost, which is in all scores
      if (round > 0 && !target_.savings.empty()) {
        ablation.restart();
        base = ablation.measure(working);
      }
      measure_units(working, gone, ablation, round, worth_measuring(gone));
      // Half go, then half of what is left to remove, then the rest.
      const double share = round + 1 == kRounds ? 1 : 1 - std::pow(0.5, round + 1);
      PruningTarget target = target_;
      target.ratio *= share;
      target.count = std::llround(std::ceil(static_cast<double>(target.count) * share));
      target.least *= share;
      kept = choose_units(target.savings.empty() ? scored_ : scores_above(base), target, true);
    }
    return chosen(kept);
  }

  std::vector<LayerChoice> amounts_by_ablation() {
    AblationRun ablation(context_.model(), *context_.calibration(), kTemperature);
    Model model = context_.model();
    LayerMoments moments(context_, model);
    std::vector<std::vector<std::int64_t>> orders(layers_.size());
    std::vector<CutCosts> costs(layers_.size(), CutCosts{{0}, {0}});
    for (const LayerReader& reader : readers_) {
      const std::size_t i = reader.layer;
      const auto gram = moments.at(reader);
      if (!gram) continue;
      if (layers_[i]->readers.size() > 1) {  // one that is cut with others: measured below
        const auto scores = obs_scores(model.graph, reader, *gram, *layers_[i],
                                       scored_[i].multiple_of, context_.pool());
        if (reader.reader == 0) scored_[i].scores.assign(scores.size(), 0);
        for (std::size_t u = 0; u < scores.size(); ++u) scored_[i].scores[u] += scores[u];
        continue;
      }
      ablation.advance(model, reader.unit->input);
      ReaderObs obs(model.graph, reader, *gram, layers_[i]->rows_per_unit, context_.pool());
      costs[i] = measured_costs(i, [&](std::int64_t from, std::int64_t to, bool measured) {
        const auto units = obs.weakest(to - from, context_.pool());
        obs.remove(units, context_.pool());
        orders[i].insert(orders[i].end(), units.begin(), units.end());
        progress(reader, 0, 1);
        return measured ? ablation.measure(obs.variant(model)) : 0;
      });
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (layers_[i]->readers.size() < 2) continue;
      ablation.restart();
      orders[i].resize(static_cast<std::size_t>(layers_[i]->units));
      std::iota(orders[i].begin(), orders[i].end(), 0);
      std::ranges::stable_sort(orders[i], {}, [&](std::int64_t unit) {
        return scored_[i].scores[static_cast<std::size_t>(unit)];
      });
      costs[i] = measured_costs(i, [&](std::int64_t /*from*/, std::int64_t to, bool measured) {
        return measured ? ablation.measure(zeroed(
                              model, i, std::span(orders[i]).first(static_cast<std::size_t>(to))))
                        : 0;
      });
    }
    const auto cuts =
        target_.savings.empty() ? allocate_cuts(costs, most_parts()) : by_savings(costs);
    std::vector<LayerChoice> choices;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      LayerChoice choice;
      const std::int64_t gone = costs[i].parts[cuts[i]] / scored_[i].all_parts_per_unit();
      const std::vector<std::int64_t> units(orders[i].begin(), orders[i].begin() + gone);
      choice.kept = complement(units, layers_[i]->units);
      if (gone > 0) {
        choice.figures.emplace_back(ablation.measures_kl() ? "cut.kl" : "cut.model_error",
                                    costs[i].loss[cuts[i]]);
      }
      choices.push_back(std::move(choice));
    }
    return choices;
  }

 private:
  void progress(const LayerReader& reader, int round, int rounds) const {
    const auto at = static_cast<double>(&reader - readers_.data());
    done_((round + at / static_cast<double>(readers_.size())) / rounds);
  }

  // The losses of a layer's cuts. `cut` removes units [from, to) in the order in which they go, and
  // says what the model has lost by then where that is to be measured; in between it is taken as
  // linear.
  CutCosts measured_costs(
      std::size_t layer, const std::function<double(std::int64_t, std::int64_t, bool)>& cut) const {
    const std::int64_t units = layers_[layer]->units;
    const std::int64_t multiple = scored_[layer].multiple_of;
    const std::int64_t step = std::max<std::int64_t>(1, units / kFinestSteps / multiple) * multiple;
    const double most =
        target_.savings.empty() ? std::clamp(kMostOfShare * share(), kLeastOfMost, 1.0) : 1.0;
    const auto fewest = std::max<std::int64_t>(
        multiple, static_cast<std::int64_t>(std::ceil(static_cast<double>(units) * (1 - most))));
    std::vector<std::int64_t> gone{0};
    for (std::int64_t kept = (units - 1) / step * step; kept >= fewest; kept -= step) {
      gone.push_back(units - kept);
    }
    CutCosts costs{{0}, {0}};
    std::size_t last = 0;
    for (std::size_t i = 1; i < gone.size(); ++i) {
      const bool measured =
          i * kMeasuredCuts / (gone.size() - 1) != (i - 1) * kMeasuredCuts / (gone.size() - 1);
      const double loss = cut(gone[i - 1], gone[i], measured);
      costs.parts.push_back(gone[i] * scored_[layer].all_parts_per_unit());
      costs.loss.push_back(std::max(loss, costs.loss[last]));
      if (!measured) continue;
      for (std::size_t k = last + 1; k < i; ++k) {
        const auto part =
            static_cast<double>(gone[k] - gone[last]) / static_cast<double>(gone[i] - gone[last]);
        costs.loss[k] = costs.loss[last] + part * (costs.loss[i] - costs.loss[last]);
      }
      last = i;
    }
    return costs;
  }

  // The cuts of which enough is saved.
  [[nodiscard]] std::vector<std::size_t> by_savings(const std::vector<CutCosts>& costs) const {
    std::vector<CutGains> gains;
    for (std::size_t i = 0; i < costs.size(); ++i) {
      gains.push_back({{}, costs[i].loss});
      for (const std::int64_t parts : costs[i].parts) {
        const std::int64_t gone = parts / scored_[i].all_parts_per_unit();
        gains.back().saved.push_back(target_.savings[i][static_cast<std::size_t>(gone)]);
      }
    }
    return allocate_gains(gains, target_.least);
  }

  // Of units that are still there: sums of what each adds, not of what the model has lost with it.
  [[nodiscard]] std::vector<ScoredLayer> scores_above(double base) const {
    std::vector<ScoredLayer> layers = scored_;
    for (ScoredLayer& layer : layers) {
      for (double& score : layer.scores) {
        if (score > 0) score = std::max(score - base, kLeastScore);
      }
    }
    return layers;
  }

  [[nodiscard]] std::int64_t all_parts() const {
    std::int64_t all = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      all += layers_[i]->units * scored_[i].all_parts_per_unit();
    }
    return all;
  }
  [[nodiscard]] std::int64_t most_parts() const {
    if (target_.count > 0) return target_.count;
    return static_cast<std::int64_t>(target_.ratio * static_cast<double>(all_parts()) + 1e-9);
  }
  [[nodiscard]] double share() const {
    return static_cast<double>(most_parts()) /
           static_cast<double>(std::max<std::int64_t>(1, all_parts()));
  }

  // The score up to which units are measured again: there are twice as many as are still to go.
  [[nodiscard]] double worth_measuring(const std::vector<std::vector<std::int64_t>>& gone) const {
    if (target_.by_layer || !target_.savings.empty())
      return std::numeric_limits<double>::infinity();
    std::int64_t parts = most_parts();
    std::vector<std::pair<double, std::int64_t>> left;  // score, parts
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      parts -= static_cast<std::int64_t>(gone[i].size()) * scored_[i].all_parts_per_unit();
      for (std::size_t unit = 0; unit < scored_[i].scores.size(); ++unit) {
        if (std::ranges::find(gone[i], static_cast<std::int64_t>(unit)) != gone[i].end()) continue;
        left.emplace_back(scored_[i].scores[unit], scored_[i].all_parts_per_unit());
      }
    }
    std::ranges::sort(left);
    std::int64_t seen = 0;
    for (const auto& [score, some] : left) {
      seen += some;
      if (seen >= 2 * parts) return score;
    }
    return std::numeric_limits<double>::infinity();
  }

  // Scores of the units that are there in `working`; 0 for those that are gone. In later rounds
  // those that had more than `most` are not measured again: they come last.
  void measure_units(const Model& working, const std::vector<std::vector<std::int64_t>>& gone,
                     AblationRun& ablation, int round, double most) {
    Model model = working;
    LayerMoments moments(context_, model);
    ablation.restart();
    for (const LayerReader& reader : readers_) {
      if (reader.reader != 0) continue;
      const std::size_t i = reader.layer;
      if (!measures_some(i, gone[i], round, most)) {
        for (double& score : scored_[i].scores) score = later(score);
        for (const std::int64_t unit : gone[i]) {
          scored_[i].scores[static_cast<std::size_t>(unit)] = 0;
        }
        continue;
      }
      const bool alone = layers_[i]->readers.size() == 1;
      const auto kept = grams_.find(&reader);
      const auto gram = kept != grams_.end() ? kept->second : moments.at(reader);
      ablation.advance(model, reader.unit->input);
      std::optional<ReaderObs> obs;
      if (gram && alone) {
        obs.emplace(model.graph, reader, *gram, layers_[i]->rows_per_unit, context_.pool());
        obs->remove(gone[i], context_.pool());
      }
      for (std::int64_t unit = 0; unit < layers_[i]->units; ++unit) {
        double& score = scored_[i].scores[static_cast<std::size_t>(unit)];
        if (std::ranges::find(gone[i], unit) != gone[i].end()) {
          score = 0;
          continue;
        }
        if (round > 0 && score > most) {
          score = later(score);
          continue;
        }
        progress(reader, round, kRounds);
        const std::span one(&unit, 1);
        const Model variant =
            obs ? obs->variant_without(model, one, context_.pool()) : zeroed(model, i, one);
        const double loss = ablation.measure(variant);
        score =
            std::isfinite(loss) ? std::max(loss, kLeastScore) : std::numeric_limits<double>::max();
      }
    }
  }

  static double later(double score) { return score < kNotMeasured ? score + kNotMeasured : score; }

  [[nodiscard]] bool measures_some(std::size_t layer, const std::vector<std::int64_t>& gone,
                                   int round, double most) const {
    const std::vector<double>& scores = scored_[layer].scores;
    for (std::size_t unit = 0; unit < scores.size(); ++unit) {
      const bool there = std::ranges::find(gone, static_cast<std::int64_t>(unit)) == gone.end();
      if (there && (round == 0 || scores[unit] <= most)) return true;
    }
    return false;
  }

  // The model without these units, the others changed to make up for them, from the bottom up.
  Model compensated(const std::vector<std::vector<std::int64_t>>& gone) {
    Model model = context_.model();
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (layers_[i]->readers.size() > 1) model = zeroed(model, i, gone[i]);
    }
    LayerMoments moments(context_, model);
    grams_.clear();
    std::size_t bytes = 0;
    for (const LayerReader& reader : readers_) {
      if (layers_[reader.layer]->readers.size() > 1 || gone[reader.layer].empty()) continue;
      const auto gram = moments.at(reader);
      if (!gram) continue;
      bytes += gram->xx.size() * sizeof(double);
      if (bytes <= kMostBytesKept) grams_.emplace(&reader, *gram);
      const ReaderObs obs(model.graph, reader, *gram, layers_[reader.layer]->rows_per_unit,
                          context_.pool());
      model = obs.variant_without(model, gone[reader.layer], context_.pool());
    }
    return model;
  }

  // Without the rows of these units, in all readers of the layer; nothing makes up for them.
  Model zeroed(const Model& model, std::size_t layer, std::span<const std::int64_t> units) const {
    Model result = model;
    for (const LayerReader& reader : readers_) {
      if (reader.layer == layer) {
        zero_units(result.graph, *reader.unit, units, layers_[layer]->rows_per_unit);
      }
    }
    return result;
  }

  [[nodiscard]] std::vector<LayerChoice> chosen(
      const std::vector<std::vector<std::int64_t>>& kept) const {
    std::vector<LayerChoice> choices;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      LayerChoice choice{kept[i], {}};
      double highest = 0;
      double lowest = std::numeric_limits<double>::max();
      for (std::int64_t unit = 0; unit < layers_[i]->units; ++unit) {
        const double score = scored_[i].scores[static_cast<std::size_t>(unit)];
        if (std::ranges::binary_search(kept[i], unit)) {
          lowest = std::min(lowest, score);
        } else {
          highest = std::max(highest, score);
        }
      }
      choice.figures = {{"removed.highest_score", highest}, {"kept.lowest_score", lowest}};
      choices.push_back(std::move(choice));
    }
    return choices;
  }

  PassContext& context_;
  const std::vector<const PrunableLayer*>& layers_;
  std::vector<ScoredLayer> scored_;
  PruningTarget target_;
  const std::function<void(double)>& done_;
  std::vector<LayerReader> readers_;
  std::map<const LayerReader*, Gram> grams_;  // of the compensated model
};

}  // namespace

std::vector<LayerChoice> choose_on_data(PassContext& context,
                                        const std::vector<const PrunableLayer*>& layers,
                                        const std::vector<ScoredLayer>& scored,
                                        const PruningTarget& target, DataScore score,
                                        const std::function<void(double)>& done) {
  Choice choice(context, layers, scored, target, done);
  const bool neurons = !layers.empty() && layers.front()->kind == PrunableKind::neurons;
  if (score != DataScore::ablation) return choice.by_layer_scores(score);
  if (!neurons) return choice.units_by_ablation();
  return target.by_layer ? choice.by_layer_scores(DataScore::obs) : choice.amounts_by_ablation();
}

}  // namespace onnxpress
