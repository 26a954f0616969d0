// SPDX-License-Identifier: Apache-2.0
#include "numerics/channel_lines.h"

#include <algorithm>
#include <cmath>

namespace onnxpress {
namespace {

// Below this share of the product of its diagonal, a 2 × 2 matrix counts as singular.
constexpr double kSingular = 1e-12;

}  // namespace

void ChannelLines::add(std::span<const float> x, std::span<const float> y) {
  ++rows_;
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    Sums& sums = channels_[c];
    const double value = x[c];
    const double wanted = y[c];
    const double rest = wanted - value;
    sums.x += value;
    sums.xx += value * value;
    sums.r += rest;
    sums.xr += value * rest;
    sums.rr += rest * rest;
    sums.yy += wanted * wanted;
  }
}

ChannelLines& ChannelLines::operator+=(const ChannelLines& other) {
  if (channels_.empty()) channels_.resize(other.channels_.size());
  rows_ += other.rows_;
  for (std::size_t c = 0; c < other.channels_.size(); ++c) {
    Sums& sums = channels_[c];
    const Sums& more = other.channels_[c];
    sums.x += more.x;
    sums.xx += more.xx;
    sums.r += more.r;
    sums.xr += more.xr;
    sums.rr += more.rr;
    sums.yy += more.yy;
  }
  return *this;
}

std::vector<Line> ChannelLines::fit(double ridge, bool offsets) const {
  std::vector<Line> lines(channels_.size());
  const auto rows = static_cast<double>(rows_);
  for (std::size_t c = 0; c < lines.size(); ++c) {
    const Sums& s = channels_[c];
    const double a = s.xx * (1 + ridge);
    const double d = rows * (1 + ridge);
    Line line;
    if (!offsets) {
      if (a > 0) line.slope = s.xr / a;
    } else if (const double determinant = a * d - s.x * s.x; determinant > kSingular * a * d) {
      line.slope = (s.xr * d - s.r * s.x) / determinant;
      line.offset = (s.r * a - s.xr * s.x) / determinant;
    } else if (d > 0) {
      line.offset = s.r / d;
    }
    if (std::isfinite(line.slope) && std::isfinite(line.offset)) lines[c] = line;
  }
  return lines;
}

double ChannelLines::residual(std::span<const Line> lines, std::span<const float> weights) const {
  double sum = 0;
  const auto rows = static_cast<double>(rows_);
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    const Sums& s = channels_[c];
    const Line line = lines.empty() ? Line{} : lines[c];
    const double left = s.rr - 2 * line.slope * s.xr - 2 * line.offset * s.r +
                        line.slope * line.slope * s.xx + 2 * line.slope * line.offset * s.x +
                        rows * line.offset * line.offset;
    const double weight = weights[c];
    sum += weight * weight * std::max(left, 0.0);
  }
  return sum;
}

double ChannelLines::energy(std::span<const float> weights) const {
  double sum = 0;
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    const double weight = weights[c];
    sum += weight * weight * channels_[c].yy;
  }
  return sum;
}

}  // namespace onnxpress
