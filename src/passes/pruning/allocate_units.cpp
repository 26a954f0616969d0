// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/allocate_units.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace onnxpress {
namespace {

constexpr std::size_t kSteps = 16384;  // of the savings that are asked for
constexpr double kRounding = 1e-9;     // thirds of a saving make a whole

// The cuts with the least sum of losses of those that reach a place. Cut i of a layer goes up
// places[i]; what would go beyond the last place goes nowhere, or, if it is `open`, to the last
// one.
class Allocation {
 public:
  Allocation(std::size_t last, bool open) : open_(open), best_(last + 1, kNever) { best_[0] = 0; }

  void add(const std::vector<std::size_t>& places, const std::vector<double>& losses) {
    const std::size_t last = best_.size() - 1;
    std::vector<double> next(best_.size(), kNever);
    std::vector<Step> steps(best_.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      for (std::size_t from = 0; from <= last; ++from) {
        if (from + places[i] > last && !open_) break;
        const std::size_t to = std::min(from + places[i], last);
        const double loss = best_[from] + losses[i];
        if (!(loss < next[to])) continue;
        next[to] = loss;
        steps[to] = {i, from};
      }
    }
    best_ = std::move(next);
    layers_.push_back(std::move(steps));
  }

  // Infinite where none do.
  [[nodiscard]] double loss(std::size_t place) const { return best_[place]; }
  [[nodiscard]] std::size_t highest() const {
    std::size_t at = best_.size() - 1;
    while (at > 0 && best_[at] == kNever) --at;
    return at;
  }
  [[nodiscard]] std::vector<std::size_t> cuts(std::size_t at) const {
    std::vector<std::size_t> chosen(layers_.size());
    for (std::size_t layer = layers_.size(); layer-- > 0;) {
      chosen[layer] = layers_[layer][at].cut;
      at = layers_[layer][at].from;
    }
    return chosen;
  }

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();
  struct Step {
    std::size_t cut = 0, from = 0;
  };

  bool open_;
  std::vector<double> best_;               // by place
  std::vector<std::vector<Step>> layers_;  // the last step to each place
};

}  // namespace

std::vector<std::size_t> allocate_cuts(const std::vector<CutCosts>& layers, std::int64_t most) {
  std::int64_t unit = 0;
  for (const CutCosts& layer : layers) {
    for (const std::int64_t parts : layer.parts) unit = std::gcd(unit, parts);
  }
  if (unit == 0 || most < unit) return std::vector<std::size_t>(layers.size());
  Allocation allocation(static_cast<std::size_t>(most / unit), false);
  for (const CutCosts& layer : layers) {
    std::vector<std::size_t> places;
    for (const std::int64_t parts : layer.parts) {
      places.push_back(static_cast<std::size_t>(parts / unit));
    }
    allocation.add(places, layer.loss);
  }
  return allocation.cuts(allocation.highest());
}

std::vector<std::size_t> allocate_gains(const std::vector<CutGains>& layers, double least) {
  Allocation allocation(kSteps, true);
  for (const CutGains& layer : layers) {
    std::vector<std::size_t> places;
    for (const double saved : layer.saved) {
      const double steps = std::floor(std::clamp(saved / least, 0.0, 1.0) * double{kSteps});
      places.push_back(static_cast<std::size_t>(steps));
    }
    allocation.add(places, layer.loss);
  }
  // Rounding takes less than a step of each layer: what is enough may lie that much lower.
  std::size_t best = allocation.highest();
  const std::size_t below = std::min(layers.size(), kSteps);
  for (std::size_t at = kSteps - below; at < kSteps; ++at) {
    if (!(allocation.loss(at) < allocation.loss(best))) continue;
    const std::vector<std::size_t> cuts = allocation.cuts(at);
    double saved = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) saved += layers[i].saved[cuts[i]];
    if (saved >= least * (1 - kRounding)) best = at;
  }
  return allocation.cuts(best);
}

}  // namespace onnxpress
