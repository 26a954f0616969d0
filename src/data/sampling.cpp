// SPDX-License-Identifier: Apache-2.0
#include "data/sampling.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

namespace onnxpress {

std::vector<std::size_t> choose_samples(std::size_t total, std::size_t wanted, std::uint64_t seed) {
  std::vector<std::size_t> indices(total);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  if (wanted == 0 || wanted >= total) return indices;
  // A shuffle that stops early. The engine's numbers are standardized, those of std::shuffle and
  // of the distributions are not.
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < wanted; ++i) {
    std::swap(indices[i], indices[i + random() % (total - i)]);
  }
  indices.resize(wanted);
  std::ranges::sort(indices);
  return indices;
}

}  // namespace onnxpress
