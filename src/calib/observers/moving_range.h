// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "calib/observers/range_choice.h"

namespace onnxpress {

// Exponential moving average of the smallest and largest element of each batch, so that one odd
// batch moves the range little. Depends on the order of the batches: it can't be merged and is not
// written to calibration files.
class MovingRange {
 public:
  // `rate`: weight of a new batch.
  explicit MovingRange(double rate = 0.01) : rate_(rate) {}

  // x: the finite elements of a batch. An empty batch changes nothing.
  void add_batch(const float* x, std::int64_t count) {
    if (count == 0) return;
    const auto [low, high] = std::minmax_element(x, x + count);
    const double weight = batches_++ == 0 ? 1.0 : rate_;
    low_ += weight * (*low - low_);
    high_ += weight * (*high - high_);
  }
  [[nodiscard]] std::int64_t batches() const { return batches_; }
  [[nodiscard]] Range range() const {
    return {static_cast<float>(low_), static_cast<float>(high_)};
  }

 private:
  double rate_;
  double low_ = 0, high_ = 0;
  std::int64_t batches_ = 0;
};

}  // namespace onnxpress
