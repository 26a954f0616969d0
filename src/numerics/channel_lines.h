// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace onnxpress {

// y ≈ (1 + slope)·x + offset
struct Line {
  double slope = 0;
  double offset = 0;
};

// Sums of rows x and y, channel by channel, from which lines are fitted by least squares: all that
// refitting a norm's gain and shift needs to know of the data, 5 numbers a channel.
//
//   ChannelLines lines(768);
//   for (…) lines.add(x_row, y_row);
//   const std::vector<Line> fit = lines.fit(0.1, /*offsets=*/true);
class ChannelLines {
 public:
  explicit ChannelLines(std::size_t channels = 0) : channels_(channels) {}

  // One row of each, [channels].
  void add(std::span<const float> x, std::span<const float> y);
  ChannelLines& operator+=(const ChannelLines& other);
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::size_t size() const { return channels_.size(); }

  // Minimises Σ (y - line(x))² + ridge·(slope²·Σx² + rows·offset²): the ridge pulls towards y = x.
  // Without `offsets` they stay 0. A channel that says nothing (no rows, x always 0) gets y = x.
  [[nodiscard]] std::vector<Line> fit(double ridge, bool offsets) const;

  // Σ weight²·(y - line(x))² over rows and channels; without lines that of y = x. Never below 0.
  [[nodiscard]] double residual(std::span<const Line> lines, std::span<const float> weights) const;
  // Σ weight²·y²
  [[nodiscard]] double energy(std::span<const float> weights) const;

 private:
  struct Sums {  // r = y - x, whose sums keep their digits where y is close to x
    double x = 0, xx = 0, r = 0, xr = 0, rr = 0, yy = 0;
  };
  std::vector<Sums> channels_;
  std::int64_t rows_ = 0;
};

}  // namespace onnxpress
