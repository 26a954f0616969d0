// SPDX-License-Identifier: Apache-2.0
#include "calib/observers/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "onnxpress/error.h"

namespace onnxpress {
namespace {

std::vector<float> heavy_tailed(std::size_t count) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  std::vector<float> x(count);
  for (float& value : x) value = static_cast<float>(std::pow(normal(random), 3));
  return x;
}

TEST(Histogram, CountsWhereElementsLie) {
  const std::vector<float> x = heavy_tailed(5000);
  Histogram histogram;
  histogram.add(x.data(), 5000);
  EXPECT_EQ(histogram.total(), 5000);
  for (std::int64_t bin = histogram.first(); bin < histogram.last(); ++bin) {
    const double low = static_cast<double>(bin) * histogram.width();
    const auto expected =
        std::ranges::count_if(x, [&](float v) { return v >= low && v < low + histogram.width(); });
    ASSERT_EQ(histogram.count(bin), expected) << bin;
  }
  const float largest =
      std::fabs(*std::ranges::max_element(x, {}, [](float v) { return std::fabs(v); }));
  EXPECT_GT(largest, histogram.width() * Histogram::kHalf / 2);
}

TEST(Histogram, DoesNotDependOnOrderOrParts) {
  std::vector<float> x = heavy_tailed(3000);
  Histogram whole;
  whole.add(x.data(), 3000);
  std::ranges::sort(x, {}, [](float v) { return std::fabs(v); });  // widens again and again
  Histogram one_by_one;
  for (const float& value : x) one_by_one.add(&value, 1);
  EXPECT_EQ(whole, one_by_one);
  Histogram small, large;
  small.add(x.data(), 1700);
  large.add(x.data() + 1700, 1300);
  Histogram forwards = small, backwards = large;
  forwards += large;
  backwards += small;
  EXPECT_EQ(forwards, whole);
  EXPECT_EQ(backwards, whole);
}

TEST(Histogram, TakesPowersOfTwoZerosAndTinyNumbers) {
  const std::vector<float> x = {1.0F, -1.0F, 0.0F, -0.0F, 1e-30F, -1e-30F};
  Histogram histogram;
  histogram.add(x.data(), 6);
  EXPECT_EQ(histogram.total(), 6);
  EXPECT_EQ(histogram.count(0), 3);
  EXPECT_EQ(histogram.count(-1), 1);
  EXPECT_EQ(histogram.count(Histogram::kHalf / 2), 1);
  EXPECT_EQ(histogram.count(-Histogram::kHalf / 2), 1);
  Histogram empty;
  EXPECT_EQ(empty.total(), 0);
  empty += histogram;
  EXPECT_EQ(empty, histogram);
}

TEST(Histogram, RefusesCountsThatItCannotHave) {
  EXPECT_THROW((void)Histogram::of_counts(-200, 0, {1}), Error);
  EXPECT_THROW((void)Histogram::of_counts(0, Histogram::kHalf, {1}), Error);
  EXPECT_THROW((void)Histogram::of_counts(0, 0, {1, -1}), Error);
  EXPECT_EQ(Histogram::of_counts(0, -3, {1, 0, 5}).count(-1), 5);
}

}  // namespace
}  // namespace onnxpress
