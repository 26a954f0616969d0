// SPDX-License-Identifier: Apache-2.0
#include "calib/advice.h"

#include <fmt/format.h>

#include <algorithm>

namespace onnxpress {

DampingAdvice advise_damping(std::int64_t tokens, std::int64_t channels) {
  constexpr std::int64_t kFew = 4;
  constexpr std::int64_t kTooFew = 2;
  if (tokens >= kFew * channels) return {};
  if (tokens >= kTooFew * channels) return {0.05, {}};
  return {0.1, fmt::format("{} calibration tokens are few for a layer of {} inputs: {} or more "
                           "would be better",
                           tokens, channels, kFew * channels)};
}

DampingAdvice advise_damping(const StageMoments& moments) {
  return advise_damping(moments.train.edited.rows + moments.held_out.edited.rows,
                        std::max(moments.train.edited.size, moments.held_out.edited.size));
}

}  // namespace onnxpress
