// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/allocate_units.h"

#include <limits>
#include <numeric>

namespace onnxpress {

std::vector<std::size_t> allocate_cuts(const std::vector<CutCosts>& layers, std::int64_t most) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::int64_t unit = 0;
  for (const CutCosts& layer : layers) {
    for (const std::int64_t parts : layer.parts) unit = std::gcd(unit, parts);
  }
  std::vector<std::size_t> chosen(layers.size());
  if (unit == 0 || most < unit) return chosen;
  const auto places = static_cast<std::size_t>(most / unit) + 1;
  std::vector<double> best(places, kNever);  // by units that went
  best[0] = 0;
  std::vector<std::vector<std::size_t>> cuts;
  for (const CutCosts& layer : layers) {
    std::vector<double> next(places, kNever);
    std::vector<std::size_t> cut(places);
    for (std::size_t i = 0; i < layer.parts.size(); ++i) {
      const auto units = static_cast<std::size_t>(layer.parts[i] / unit);
      for (std::size_t at = units; at < places; ++at) {
        const double loss = best[at - units] + layer.loss[i];
        if (!(loss < next[at])) continue;
        next[at] = loss;
        cut[at] = i;
      }
    }
    best = std::move(next);
    cuts.push_back(std::move(cut));
  }
  std::size_t at = places - 1;
  while (at > 0 && best[at] == kNever) --at;
  for (std::size_t layer = layers.size(); layer-- > 0;) {
    chosen[layer] = cuts[layer][at];
    at -= static_cast<std::size_t>(layers[layer].parts[chosen[layer]] / unit);
  }
  return chosen;
}

}  // namespace onnxpress
