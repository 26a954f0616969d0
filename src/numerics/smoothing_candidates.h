// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "numerics/smoothing.h"

// Scales that are worth a try: what the searches for smoothing have in common.
namespace onnxpress {

// One number for each scale; where several channels take one, the largest. All positive.
struct Channels {
  std::vector<double> most_x, most_w;  // magnitudes
  std::vector<double> mean_x;          // of magnitudes
  std::vector<double> rms_x, rms_w;
};
[[nodiscard]] Channels channels_of(std::span<const SmoothedProduct> products, std::size_t count);

struct ScaleCandidate {
  std::vector<float> scales;  // around 1
  std::string way;            // "strength 0.75", "threshold 0.146"
};
// See find_scales().
[[nodiscard]] std::vector<ScaleCandidate> scale_candidates(const Channels& channels,
                                                           const SmoothingOptions& options);

// Every n-th output of weights that have more than so many elements: a search stays cheap, and more
// outputs would hardly tell more. At least 64 outputs stay.
[[nodiscard]] Matrix thinned(const Matrix& weights, std::int64_t elements);

}  // namespace onnxpress
