// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace onnxpress {

// What a layer's cuts cost, from the smallest on: `parts[i]` go and the model loses `loss[i]`.
// Both ascend from parts[0] = 0, loss[0] = 0.
struct CutCosts {
  std::vector<std::int64_t> parts;
  std::vector<double> loss;
};

// Which cut of each layer to make so that as many parts go as can without exceeding `most`, at the
// least sum of losses. By dynamic programming.
[[nodiscard]] std::vector<std::size_t> allocate_cuts(const std::vector<CutCosts>& layers,
                                                     std::int64_t most);

}  // namespace onnxpress
