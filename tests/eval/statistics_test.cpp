// SPDX-License-Identifier: Apache-2.0
#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace onnxpress {
namespace {

TEST(Quantile, InterpolatesLikeNumpy) {
  // numpy.quantile([3, 1, 2, 10], [0, .25, .5, .95, 1])
  const std::vector<double> values = {3, 1, 2, 10};
  EXPECT_DOUBLE_EQ(quantile(values, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(values, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(quantile(values, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile(values, 0.95), 8.95);
  EXPECT_DOUBLE_EQ(quantile(values, 1), 10);
}

TEST(Quantile, OfNothingOrNaNIsNaN) {
  EXPECT_TRUE(std::isnan(quantile({}, 0.5)));
  EXPECT_TRUE(std::isnan(quantile({1, std::nan(""), 2}, 0.5)));
  EXPECT_DOUBLE_EQ(quantile({7}, 0.99), 7);
}

TEST(Wilson, AgreesWithTheTextbook) {
  // 780 of 872; statsmodels.stats.proportion.proportion_confint(780, 872, method="wilson")
  const Interval interval = wilson_interval(780, 872);
  EXPECT_NEAR(interval.low, 0.8723466, 1e-7);
  EXPECT_NEAR(interval.high, 0.9131837, 1e-7);
}

TEST(Wilson, StaysInRangeAtTheEnds) {
  EXPECT_DOUBLE_EQ(wilson_interval(0, 10).low, 0);
  EXPECT_NEAR(wilson_interval(0, 10).high, 0.277533, 1e-6);
  EXPECT_NEAR(wilson_interval(10, 10).low, 0.722467, 1e-6);
  EXPECT_DOUBLE_EQ(wilson_interval(10, 10).high, 1);
  EXPECT_EQ(wilson_interval(0, 0), (Interval{0, 1}));
}

TEST(Bootstrap, GivesTheNormalIntervalOfAMean) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal(5, 2);
  std::vector<double> values(400);
  for (double& value : values) value = normal(random);
  const std::vector<double> ones(values.size(), 1);
  const Interval interval = bootstrap_ratio(values, ones, 1);
  const double centre = mean(values);
  const double half = 1.96 * 2 / std::sqrt(400.0);
  EXPECT_NEAR(interval.low, centre - half, 0.04);
  EXPECT_NEAR(interval.high, centre + half, 0.04);
}

TEST(Bootstrap, IsTheSameEveryTimeAndDependsOnTheSeed) {
  const std::vector<double> values = {1, 2, 3, 4, 5, 100};
  const std::vector<double> ones(values.size(), 1);
  EXPECT_EQ(bootstrap_ratio(values, ones, 1), bootstrap_ratio(values, ones, 1));
  EXPECT_FALSE(bootstrap_ratio(values, ones, 1) == bootstrap_ratio(values, ones, 2));
}

TEST(Bootstrap, DrawsEachSampleEquallyOften) {
  std::vector<double> drawn(5);
  (void)bootstrap_interval(5, 1, [&](std::span<const std::uint32_t> times) {
    for (std::size_t i = 0; i < 5; ++i) drawn[i] += times[i];
    return 0.0;
  });
  for (const double count : drawn) EXPECT_NEAR(count, 1000, 110);  // 1,000 draws of 5 from 5
}

TEST(Bootstrap, IgnoresInfinitiesThatWereNotDrawn) {
  const Interval interval =
      bootstrap_interval(2, 1, [](std::span<const std::uint32_t> times) { return times[0] * 1.0; });
  EXPECT_EQ(interval.low, 0);
  EXPECT_EQ(interval.high, 2);
}

}  // namespace
}  // namespace onnxpress
