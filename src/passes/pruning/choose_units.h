// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace onnxpress {

// One layer of which units are to be chosen. A part is what ratios and counts count: a head, a
// neuron.
struct ScoredLayer {
  std::vector<double> scores;       // one for each unit
  std::int64_t parts_per_unit = 1;  // in each of its blocks
  std::int64_t blocks = 1;          // that lose a unit together
  std::int64_t multiple_of = 1;     // the number of kept units, unless all are kept

  [[nodiscard]] std::int64_t all_parts_per_unit() const { return parts_per_unit * blocks; }
};

struct PruningTarget {
  double ratio = 0;        // of all parts; used where count is 0
  std::int64_t count = 0;  // parts to remove: of each block by layer, of the whole model globally
  bool by_layer = false;
  // Where given, units count by what they save instead: `savings[layer][units that go]`, of which
  // `least` must go over all layers.
  std::vector<std::vector<double>> savings{};
  double least = 0;
};

// How many units a layer can lose: 0, and what leaves a multiple.
[[nodiscard]] std::vector<std::int64_t> possible_cuts(const ScoredLayer& layer);

// The units that each layer keeps, ascending: never none. Removes no more than the target says; the
// lowest scores go first, equal ones from the back. With savings it removes at least what the
// target says, at the least sum of scores. Globally, `comparable` scores are compared as
// they are, others after division by their layer's root mean square.
[[nodiscard]] std::vector<std::vector<std::int64_t>> choose_units(
    const std::vector<ScoredLayer>& layers, const PruningTarget& target, bool comparable);

// The multiple that kept neurons come in where the user leaves it open: 32, less for layers that
// are narrower than 16 of these.
[[nodiscard]] std::int64_t fitting_multiple(std::int64_t units);

}  // namespace onnxpress
