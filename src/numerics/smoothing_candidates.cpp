// SPDX-License-Identifier: Apache-2.0
#include "numerics/smoothing_candidates.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace onnxpress {
namespace {

constexpr int kStrengths = 20;   // steps of 0.05
constexpr int kThresholds = 24;  // from kLeastThreshold to 1, evenly by factors
constexpr double kLeastThreshold = 0.02;
constexpr double kDead = 1e-5;      // of the largest: below it a channel counts as that large
constexpr double kMostScale = 1e4;  // and its reciprocal

std::string show(double number) {
  const auto thousandths = static_cast<std::int64_t>(std::lround(number * 1000));
  std::string digits = std::to_string(thousandths % 1000);
  digits.insert(0, 3 - digits.size(), '0');
  while (digits.size() > 2 && digits.back() == '0') digits.pop_back();
  return std::to_string(thousandths / 1000) + "." + digits;
}

void lift(std::vector<double>& values) {
  const double most = *std::ranges::max_element(values);
  const double least = most > 0 ? most * kDead : 1;
  for (double& value : values) value = std::max(value, least);
}

// Around 1: folding moves as little as possible into other constants.
ScaleCandidate candidate(const std::vector<double>& scales, std::string way) {
  double mean = 0;
  for (const double s : scales) mean += std::log(s);
  mean = std::exp(mean / static_cast<double>(scales.size()));
  ScaleCandidate result{{}, std::move(way)};
  for (const double s : scales) {
    result.scales.push_back(static_cast<float>(std::clamp(s / mean, 1 / kMostScale, kMostScale)));
  }
  return result;
}

ScaleCandidate of_strength(const Channels& c, const SmoothingOptions& options, double strength) {
  std::vector<double> scales(c.most_x.size());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    scales[i] = options.method == SmoothingMethod::awq
                    ? std::pow(c.mean_x[i], strength)
                    : std::pow(c.most_x[i], strength) / std::pow(c.most_w[i], 1 - strength);
  }
  return candidate(scales, "strength " + show(strength));
}

}  // namespace

Channels channels_of(std::span<const SmoothedProduct> products, std::size_t count) {
  Channels c;
  for (auto* field : {&c.most_x, &c.most_w, &c.mean_x, &c.rms_x, &c.rms_w}) field->resize(count);
  for (const SmoothedProduct& product : products) {
    const SmoothingInput& x = *product.input;
    const auto width = static_cast<std::size_t>(x.channels);
    for (std::size_t j = 0; j < width; ++j) {
      const auto s = static_cast<std::size_t>(product.scale_of[j]);
      const auto grow = [&](std::vector<double>& field, double value) {
        field[s] = std::max(field[s], value);
      };
      for (std::size_t b = j; b < x.batch_min.size(); b += width) {
        grow(c.most_x, std::max(std::fabs(x.batch_min[b]), std::fabs(x.batch_max[b])));
      }
      grow(c.mean_x, x.mean_abs[j]);
      grow(c.rms_x, std::sqrt(x.energy[j]));
      double most = 0;
      double sum = 0;
      const float* row = product.weights.row(static_cast<std::int64_t>(j));
      for (std::int64_t o = 0; o < product.weights.columns; ++o) {
        const double w = row[o];
        most = std::max(most, std::fabs(w));
        sum += w * w;
      }
      grow(c.most_w, most);
      grow(c.rms_w, std::sqrt(sum / static_cast<double>(product.weights.columns)));
    }
  }
  for (auto* field : {&c.most_x, &c.most_w, &c.mean_x, &c.rms_x, &c.rms_w}) lift(*field);
  return c;
}

std::vector<ScaleCandidate> scale_candidates(const Channels& c, const SmoothingOptions& options) {
  if (options.strength >= 0) return {of_strength(c, options, options.strength)};
  std::vector<ScaleCandidate> found;
  for (int step = 0; step <= kStrengths; ++step) {
    found.push_back(of_strength(c, options, static_cast<double>(step) / kStrengths));
  }
  if (options.method == SmoothingMethod::awq) return found;
  for (const bool balanced : {false, true}) {
    std::vector<double> floor(c.most_x.size(), 1);
    if (balanced) {
      for (std::size_t i = 0; i < floor.size(); ++i) floor[i] = std::sqrt(c.rms_x[i] / c.rms_w[i]);
    }
    double reach = 0;
    for (std::size_t i = 0; i < floor.size(); ++i) {
      reach = std::max(reach, c.most_x[i] / floor[i]);
    }
    for (int step = 0; step < kThresholds; ++step) {
      const double share =
          std::pow(kLeastThreshold, 1 - static_cast<double>(step) / (kThresholds - 1));
      std::vector<double> scales = floor;
      for (std::size_t i = 0; i < scales.size(); ++i) {
        scales[i] = std::max(scales[i], c.most_x[i] / (reach * share));
      }
      found.push_back(
          candidate(scales, (balanced ? "balanced, threshold " : "threshold ") + show(share)));
    }
  }
  return found;
}

Matrix thinned(const Matrix& weights, std::int64_t elements) {
  const std::int64_t stride = std::max<std::int64_t>(
      1, std::min(weights.rows * weights.columns / elements, weights.columns / 64));
  if (stride == 1) return weights;
  Matrix result(weights.rows, (weights.columns + stride - 1) / stride);
  for (std::int64_t j = 0; j < result.rows; ++j) {
    for (std::int64_t o = 0; o < result.columns; ++o) result(j, o) = weights(j, o * stride);
  }
  return result;
}

}  // namespace onnxpress
