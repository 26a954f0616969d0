// SPDX-License-Identifier: Apache-2.0
#include "calib/observers/range_choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "calib/observers/moving_range.h"

namespace onnxpress {
namespace {

struct Sample {
  std::vector<float> x;
  Histogram histogram;
  Range all;
};

Sample sample_of(std::vector<float> x) {
  Sample s{std::move(x), {}, {}};
  s.histogram.add(s.x.data(), static_cast<std::int64_t>(s.x.size()));
  const auto [low, high] = std::ranges::minmax(s.x);
  s.all = {low, high};
  return s;
}

// Normal, with a few large outliers.
Sample with_outliers(std::size_t count = 20000, float outlier = 60) {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> x(count);
  for (float& value : x) value = normal(random);
  for (std::size_t i = 0; i < 3; ++i) x[i] = outlier + static_cast<float>(i);
  return sample_of(std::move(x));
}

// Mean squared error of rounding the very elements.
double error_of(const std::vector<float>& x, Range range, const CodeGrid& grid) {
  const int steps = (1 << grid.bits) - (grid.symmetric ? 2 : 1);
  const double scale = (static_cast<double>(range.high) - range.low) / steps;
  const double zero = std::round(-range.low / scale);
  double sum = 0;
  for (const float value : x) {
    const double code =
        std::clamp(std::nearbyint(value / scale) + zero, 0.0, static_cast<double>(steps));
    sum += std::pow(value - (code - zero) * scale, 2);
  }
  return sum / static_cast<double>(x.size());
}

TEST(RangeChoice, PercentileIsTheOneOfTheElements) {
  Sample s = with_outliers();
  std::ranges::sort(s.x);
  const Range range = percentile_range(s.histogram, s.all, 0.99, false);
  EXPECT_NEAR(range.low, s.x[100], 2 * s.histogram.width());
  EXPECT_NEAR(range.high, s.x[19900], 2 * s.histogram.width());
  std::ranges::sort(s.x, {}, [](float v) { return std::fabs(v); });
  const Range symmetric = percentile_range(s.histogram, s.all, 0.99, true);
  EXPECT_NEAR(symmetric.high, std::fabs(s.x[19800]), 2 * s.histogram.width());
  EXPECT_EQ(symmetric.low, -symmetric.high);
  EXPECT_EQ(percentile_range(s.histogram, s.all, 1, false), s.all);
}

TEST(RangeChoice, OneSidedDataKeepZero) {
  std::vector<float> x(1000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 5 + static_cast<float>(i) / 1000;
  const Sample s = sample_of(std::move(x));
  for (const Range range : {percentile_range(s.histogram, s.all, 0.999, false),
                            entropy_range(s.histogram, s.all, {8, false}),
                            least_squares_range(s.histogram, s.all, {8, false})}) {
    EXPECT_EQ(range.low, 0);
    EXPECT_GT(range.high, 5);
    EXPECT_LE(range.high, s.all.high);
  }
}

TEST(RangeChoice, LeastSquaresIsAsGoodAsAnExhaustiveSearch) {
  for (const CodeGrid grid : {CodeGrid{8, false}, CodeGrid{8, true}, CodeGrid{4, false}}) {
    const Sample s = with_outliers(4000, 20);
    double claimed = 0;
    const Range chosen = least_squares_range(s.histogram, s.all, grid, &claimed);
    const double got = error_of(s.x, chosen, grid);
    double best = INFINITY;
    for (int i = 1; i <= 60; ++i) {
      for (int j = 1; j <= (grid.symmetric ? 1 : 60); ++j) {
        const float high = s.all.high * static_cast<float>(i) / 60;
        const float low = grid.symmetric ? -high : s.all.low * static_cast<float>(j) / 60;
        best = std::min(best, error_of(s.x, {low, high}, grid));
      }
    }
    EXPECT_LE(got, 1.05 * best) << grid.bits << grid.symmetric;
    EXPECT_NEAR(claimed, got, 0.1 * got);
    const Range widest = grid.symmetric ? Range{-s.all.high, s.all.high} : s.all;
    EXPECT_LE(got, error_of(s.x, widest, grid));
  }
}

TEST(RangeChoice, LeastSquaresClipsFewOutliersWithFewBits) {
  const Sample s = with_outliers(20000, 30);
  const Range range = least_squares_range(s.histogram, s.all, {4, true});
  EXPECT_LT(range.high, 20);
  EXPECT_LT(error_of(s.x, range, {4, true}), 0.7 * error_of(s.x, {-32, 32}, {4, true}));
}

TEST(RangeChoice, EntropyClipsOutliersAndKeepsUniformData) {
  const Sample tailed = with_outliers();
  const Range clipped = entropy_range(tailed.histogram, tailed.all, {8, true});
  EXPECT_LT(clipped.high, 20);
  EXPECT_GT(clipped.high, 2.5F);
  std::vector<float> x(40000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) / 20000 - 1;
  const Sample uniform = sample_of(std::move(x));
  EXPECT_GT(entropy_range(uniform.histogram, uniform.all, {8, true}).high, 0.95F);
}

TEST(RangeChoice, NothingSeenGivesAnEmptyRange) {
  const Histogram empty;
  EXPECT_EQ(percentile_range(empty, {}, 0.99, true), Range{});
  EXPECT_EQ(entropy_range(empty, {}, {8, true}), Range{});
  EXPECT_EQ(least_squares_range(empty, {}, {8, false}), Range{});
  const Sample zeros = sample_of(std::vector<float>(10, 0.0F));
  EXPECT_EQ(least_squares_range(zeros.histogram, zeros.all, {8, false}), Range{});
}

TEST(MovingRange, FollowsTheBatchesSlowly) {
  MovingRange range(0.25);
  const std::vector<float> first = {-1, 0.5F, 2}, second = {-5, 10};
  range.add_batch(first.data(), 3);
  EXPECT_EQ(range.range(), (Range{-1, 2}));
  range.add_batch(second.data(), 0);  // nothing
  range.add_batch(second.data(), 2);
  EXPECT_EQ(range.range(), (Range{-2, 4}));
  EXPECT_EQ(range.batches(), 2);
}

}  // namespace
}  // namespace onnxpress
