// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace onnxpress {

// Smallest and largest element of each channel.
struct ChannelRange {
  std::vector<float> min, max;  // [channels]; +inf and -inf before the first row

  ChannelRange() = default;
  explicit ChannelRange(std::int64_t channels)
      : min(static_cast<std::size_t>(channels), std::numeric_limits<float>::infinity()),
        max(static_cast<std::size_t>(channels), -std::numeric_limits<float>::infinity()) {}

  // x: [rows, channels], finite.
  void add(const float* x, std::int64_t rows) {
    const std::size_t width = min.size();
    for (std::int64_t r = 0; r < rows; ++r, x += width) {
      for (std::size_t c = 0; c < width; ++c) {
        min[c] = std::min(min[c], x[c]);
        max[c] = std::max(max[c], x[c]);
      }
    }
  }
  ChannelRange& operator+=(const ChannelRange& other) {
    for (std::size_t c = 0; c < min.size(); ++c) {
      min[c] = std::min(min[c], other.min[c]);
      max[c] = std::max(max[c], other.max[c]);
    }
    return *this;
  }
  [[nodiscard]] std::vector<float> abs_max() const {
    std::vector<float> result(min.size());
    for (std::size_t c = 0; c < min.size(); ++c) {
      result[c] = std::max(std::fabs(min[c]), std::fabs(max[c]));
    }
    return result;
  }
  // Of all channels.
  [[nodiscard]] float tensor_min() const { return *std::ranges::min_element(min); }
  [[nodiscard]] float tensor_max() const { return *std::ranges::max_element(max); }
  friend bool operator==(const ChannelRange&, const ChannelRange&) = default;
};

}  // namespace onnxpress
