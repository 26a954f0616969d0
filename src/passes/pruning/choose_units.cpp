// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/choose_units.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>

#include "passes/pruning/allocate_units.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kMultiple = 32;
constexpr std::int64_t kFewestMultiples = 16;
constexpr double kRoundUp = 1e-9;  // 0.3 · 10 is 3, whatever floating point says

std::int64_t share(double ratio, std::int64_t whole) {
  return static_cast<std::int64_t>(std::floor(ratio * static_cast<double>(whole) + kRoundUp));
}

// The units in the order in which they go.
std::vector<std::int64_t> order_of(const std::vector<double>& scores) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.rbegin(), order.rend(), 0);
  std::ranges::stable_sort(
      order, {}, [&](std::int64_t unit) { return scores[static_cast<std::size_t>(unit)]; });
  return order;
}

// How many units a layer can lose next when `gone` are gone: up to the next multiple kept.
std::int64_t next_step(const ScoredLayer& layer, std::int64_t gone) {
  const auto kept = static_cast<std::int64_t>(layer.scores.size()) - gone;
  const std::int64_t over = kept % layer.multiple_of;
  const std::int64_t step = over == 0 ? layer.multiple_of : over;
  return step < kept ? step : 0;
}

// Steps that fit into `most` units.
std::int64_t steps_within(const ScoredLayer& layer, std::int64_t most) {
  std::int64_t gone = 0;
  for (;;) {
    const std::int64_t step = next_step(layer, gone);
    if (step == 0 || gone + step > most) return gone;
    gone += step;
  }
}

// What scores of layers that have no common unit are multiplied with.
double scale_of(const ScoredLayer& layer, bool comparable) {
  double squares = 0;
  for (const double score : layer.scores) squares += score * score;
  const double rms = std::sqrt(squares / static_cast<double>(layer.scores.size()));
  return comparable || rms == 0 ? 1 : 1 / rms;
}

class Global {
 public:
  Global(const std::vector<ScoredLayer>& layers, bool comparable)
      : layers_(layers), gone_(layers.size()), closed_(layers.size()) {
    for (const ScoredLayer& layer : layers) {
      scale_.push_back(scale_of(layer, comparable));
      orders_.push_back(order_of(layer.scores));
    }
  }

  std::vector<std::int64_t> run(std::int64_t parts) {
    while (const auto next = cheapest()) {
      const std::int64_t step = next_step(layers_[*next], gone_[*next]);
      if (step * layers_[*next].all_parts_per_unit() > parts) {
        closed_[*next] = true;
        continue;
      }
      parts -= step * layers_[*next].all_parts_per_unit();
      gone_[*next] += step;
    }
    return gone_;
  }

 private:
  // The layer whose next units have the lowest score a part.
  std::optional<std::size_t> cheapest() {
    std::optional<std::size_t> best;
    double lowest = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const std::int64_t step = next_step(layers_[i], gone_[i]);
      if (closed_[i] || step == 0) continue;
      double sum = 0;
      for (std::int64_t k = gone_[i]; k < gone_[i] + step; ++k) {
        sum += layers_[i].scores[static_cast<std::size_t>(orders_[i][static_cast<std::size_t>(k)])];
      }
      const double cost =
          sum * scale_[i] / static_cast<double>(step * layers_[i].all_parts_per_unit());
      if (best && cost >= lowest) continue;
      best = i;
      lowest = cost;
    }
    return best;
  }

  const std::vector<ScoredLayer>& layers_;
  std::vector<std::int64_t> gone_;
  std::vector<bool> closed_;  // what it would lose next is more than is left to remove
  std::vector<double> scale_;
  std::vector<std::vector<std::int64_t>> orders_;
};

// How many units of each layer go so that enough is saved.
std::vector<std::int64_t> gone_by_savings(const std::vector<ScoredLayer>& layers,
                                          const PruningTarget& target, bool comparable) {
  std::vector<CutGains> gains(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const double scale = scale_of(layers[i], comparable);
    const std::vector<std::int64_t> order = order_of(layers[i].scores);
    double loss = 0;
    std::int64_t summed = 0;
    for (const std::int64_t gone : possible_cuts(layers[i])) {
      for (; summed < gone; ++summed) {
        const auto unit = static_cast<std::size_t>(order[static_cast<std::size_t>(summed)]);
        loss += layers[i].scores[unit] * scale;
      }
      gains[i].saved.push_back(target.savings[i][static_cast<std::size_t>(gone)]);
      gains[i].loss.push_back(loss);
    }
  }
  const std::vector<std::size_t> cuts = allocate_gains(gains, target.least);
  std::vector<std::int64_t> gone;
  for (std::size_t i = 0; i < layers.size(); ++i) gone.push_back(possible_cuts(layers[i])[cuts[i]]);
  return gone;
}

}  // namespace

std::vector<std::int64_t> possible_cuts(const ScoredLayer& layer) {
  std::vector<std::int64_t> cuts{0};
  while (const std::int64_t step = next_step(layer, cuts.back())) {
    cuts.push_back(cuts.back() + step);
  }
  return cuts;
}

std::vector<std::vector<std::int64_t>> choose_units(const std::vector<ScoredLayer>& layers,
                                                    const PruningTarget& target, bool comparable) {
  std::vector<std::int64_t> gone;
  if (!target.savings.empty()) {
    gone = gone_by_savings(layers, target, comparable);
  } else if (target.by_layer) {
    for (const ScoredLayer& layer : layers) {
      const auto units = static_cast<std::int64_t>(layer.scores.size());
      gone.push_back(steps_within(layer, target.count > 0 ? target.count / layer.parts_per_unit
                                                          : share(target.ratio, units)));
    }
  } else {
    std::int64_t parts = 0;
    for (const ScoredLayer& layer : layers) {
      parts += static_cast<std::int64_t>(layer.scores.size()) * layer.all_parts_per_unit();
    }
    gone = Global(layers, comparable)
               .run(target.count > 0 ? target.count : share(target.ratio, parts));
  }
  std::vector<std::vector<std::int64_t>> kept;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    std::vector<std::int64_t> order = order_of(layers[i].scores);
    order.erase(order.begin(), order.begin() + gone[i]);
    std::ranges::sort(order);
    kept.push_back(std::move(order));
  }
  return kept;
}

std::int64_t fitting_multiple(std::int64_t units) {
  std::int64_t multiple = kMultiple;
  while (multiple > 1 && units < multiple * kFewestMultiples) multiple /= 2;
  return multiple;
}

}  // namespace onnxpress
