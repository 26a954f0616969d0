// SPDX-License-Identifier: Apache-2.0
#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace onnxpress {
namespace {

constexpr double kZ = 1.959963984540054;  // the normal distribution's 97.5 % point
constexpr int kDraws = 1000;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double mean(std::span<const double> values) {
  if (values.empty()) return kNan;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return kNan;
  if (std::ranges::any_of(values, [](double v) { return std::isnan(v); })) return kNan;
  const double position = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::ptrdiff_t>(position);
  std::nth_element(values.begin(), values.begin() + low, values.end());
  const double at = values[static_cast<std::size_t>(low)];
  const double share = position - static_cast<double>(low);
  if (share == 0) return at;
  const double next = *std::min_element(values.begin() + low + 1, values.end());
  if (next == at) return at;  // also keeps infinity - infinity out
  return at + share * (next - at);
}

Interval wilson_interval(std::int64_t successes, std::int64_t n) {
  if (n == 0) return {0, 1};
  const double count = static_cast<double>(n);
  const double p = static_cast<double>(successes) / count;
  const double z2 = kZ * kZ;
  const double centre = (p + z2 / (2 * count)) / (1 + z2 / count);
  const double half =
      kZ / (1 + z2 / count) * std::sqrt(p * (1 - p) / count + z2 / (4 * count * count));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Interval bootstrap_interval(
    std::size_t n, std::uint64_t seed,
    const std::function<double(std::span<const std::uint32_t> times_drawn)>& statistic) {
  if (n == 0) return {kNan, kNan};
  // The generator's output is fixed by the standard; the distributions' is not, hence the product.
  std::mt19937_64 generator(seed);
  std::vector<std::uint32_t> times(n);
  std::vector<double> results;
  results.reserve(kDraws);
  for (int draw = 0; draw < kDraws; ++draw) {
    std::ranges::fill(times, 0U);
    for (std::size_t i = 0; i < n; ++i) {
      ++times[static_cast<std::size_t>(((generator() >> 32U) * n) >> 32U)];
    }
    results.push_back(statistic(times));
  }
  return {quantile(results, 0.025), quantile(results, 0.975)};
}

Interval bootstrap_ratio(std::span<const double> numerators, std::span<const double> denominators,
                         std::uint64_t seed) {
  return bootstrap_interval(numerators.size(), seed, [&](std::span<const std::uint32_t> times) {
    double above = 0;
    double below = 0;
    for (std::size_t i = 0; i < times.size(); ++i) {
      if (times[i] == 0) continue;  // 0 × infinity
      above += times[i] * numerators[i];
      below += times[i] * denominators[i];
    }
    return above / below;
  });
}

}  // namespace onnxpress
