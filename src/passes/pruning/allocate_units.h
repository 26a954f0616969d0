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

// What a layer's cuts save (bytes, milliseconds) and what the model loses with them: `loss` ascends
// from 0; `saved` need not, it starts with 0.
struct CutGains {
  std::vector<double> saved;
  std::vector<double> loss;
};

// Which cut of each layer to make so that at least `least` is saved, at the least sum of losses
// (as ZipLM does, Kurtic et al. 2023); where that can't be, so that most is saved. By the same
// dynamic programme; savings are looked at in steps of
// 1/16384 of `least`.
[[nodiscard]] std::vector<std::size_t> allocate_gains(const std::vector<CutGains>& layers,
                                                      double least);

}  // namespace onnxpress
