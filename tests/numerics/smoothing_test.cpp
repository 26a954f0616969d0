// SPDX-License-Identifier: Apache-2.0
#include "numerics/smoothing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "onnxpress/error.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kChannels = 48;
constexpr std::int64_t kOutlier = 7;

Matrix normal(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(0, 1);
  Matrix m(rows, columns);
  for (float& value : m.values) value = distribution(random);
  return m;
}

// Rows of which one channel is `outlier` times as large as the others.
SmoothingInput input(float outlier) {
  SmoothingInput x;
  x.channels = kChannels;
  x.train = normal(200, kChannels, 1);
  x.held_out = normal(100, kChannels, 2);
  for (Matrix* m : {&x.train, &x.held_out}) {
    for (std::int64_t i = 0; i < m->rows; ++i) (*m)(i, kOutlier) *= outlier;
  }
  for (std::int64_t c = 0; c < kChannels; ++c) {
    double energy = 0;
    double sum = 0;
    float low = 0;
    float high = 0;
    for (std::int64_t i = 0; i < x.train.rows; ++i) {
      const float v = x.train(i, c);
      energy += static_cast<double>(v) * static_cast<double>(v) / 200;
      sum += std::fabs(static_cast<double>(v)) / 200;
    }
    for (const Matrix* m : {&x.train, &x.held_out}) {
      for (std::int64_t i = 0; i < m->rows; ++i) {
        low = std::min(low, (*m)(i, c));
        high = std::max(high, (*m)(i, c));
      }
    }
    x.energy.push_back(energy);
    x.mean_abs.push_back(sum);
    x.batch_min.push_back(low);
    x.batch_max.push_back(high);
  }
  return x;
}

Smoothing search(const SmoothingInput& x, const SmoothingOptions& options, int threads = 2) {
  ThreadPool pool(threads);
  SmoothedProduct product{&x, {}, normal(kChannels, 32, 3)};
  for (std::int32_t c = 0; c < kChannels; ++c) product.scale_of.push_back(c);
  return find_scales({&product, 1}, kChannels, options, pool);
}

SmoothingOptions smoothquant() {
  return {SmoothingMethod::smoothquant, -1, {8, 0, true}};
}

TEST(Smoothing, AnOutlierIsDividedAndTheHeldOutErrorFalls) {
  const SmoothingInput x = input(100);
  const Smoothing found = search(x, smoothquant());
  ASSERT_EQ(found.scales.size(), static_cast<std::size_t>(kChannels));
  EXPECT_LT(found.after, 0.5 * found.before);
  EXPECT_EQ(std::ranges::max_element(found.scales) - found.scales.begin(), kOutlier);
  for (const float s : found.scales) EXPECT_GT(s, 0);
}

TEST(Smoothing, ScalesAreKeptOnlyIfTheyHelpHeldOutRows) {
  for (const float outlier : {0.0F, 1.0F, 3.0F, 30.0F}) {
    const Smoothing found = search(input(outlier), smoothquant());
    EXPECT_EQ(found.scales.empty(), !(found.after < found.before)) << outlier;
  }
}

TEST(Smoothing, AwqOfStrengthZeroIsRoundingToNearest) {
  const Smoothing found = search(input(20), {SmoothingMethod::awq, 0, {4, 16, false}});
  EXPECT_TRUE(found.scales.empty());
  EXPECT_EQ(found.after, found.before);
}

TEST(Smoothing, AwqProtectsTheWeightsOfLargeInputs) {
  const Smoothing found = search(input(20), {SmoothingMethod::awq, -1, {4, 16, false}});
  ASSERT_FALSE(found.scales.empty());
  EXPECT_LT(found.after, found.before);
  EXPECT_GT(found.scales[kOutlier], 1);
}

TEST(Smoothing, TheSameForAnyPool) {
  const SmoothingInput x = input(50);
  EXPECT_EQ(search(x, smoothquant(), 1).scales, search(x, smoothquant(), 3).scales);
}

TEST(Smoothing, AnInputThatIsAlwaysZeroTakesNoScales) {
  SmoothingInput x = input(1);
  for (Matrix* m : {&x.train, &x.held_out}) std::ranges::fill(m->values, 0.0F);
  std::ranges::fill(x.energy, 0.0);
  std::ranges::fill(x.mean_abs, 0.0);
  std::ranges::fill(x.batch_min, 0.0F);
  std::ranges::fill(x.batch_max, 0.0F);
  EXPECT_TRUE(search(x, smoothquant()).scales.empty());
}

TEST(Smoothing, NanInWeightsIsRefused) {
  const SmoothingInput x = input(2);
  ThreadPool pool(1);
  SmoothedProduct product{&x, {}, normal(kChannels, 4, 3)};
  for (std::int32_t c = 0; c < kChannels; ++c) product.scale_of.push_back(c);
  product.weights(3, 2) = NAN;
  EXPECT_THROW((void)find_scales({&product, 1}, kChannels, smoothquant(), pool), Error);
}

}  // namespace
}  // namespace onnxpress
