// SPDX-License-Identifier: Apache-2.0
#include "numerics/channel_lines.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

namespace onnxpress {
namespace {

constexpr std::array<float, 3> kOnes{1, 1, 1};

// y = slope·x + offset + noise in three channels: 1.5·x + 0.25, -x, x.
ChannelLines pairs(int rows, double noise) {
  ChannelLines lines(3);
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  for (int i = 0; i < rows; ++i) {
    std::array<float, 3> x{};
    for (float& value : x) value = static_cast<float>(normal(random) + 0.5);
    const std::array<float, 3> y{static_cast<float>(1.5 * x[0] + 0.25 + noise * normal(random)),
                                 static_cast<float>(-x[1] + noise * normal(random)),
                                 static_cast<float>(x[2] + noise * normal(random))};
    lines.add(x, y);
  }
  return lines;
}

TEST(ChannelLines, FindsTheLinesThatMadeThePairs) {
  const ChannelLines lines = pairs(50, 0);
  const auto fit = lines.fit(0, true);
  EXPECT_NEAR(fit[0].slope, 0.5, 1e-6);
  EXPECT_NEAR(fit[0].offset, 0.25, 1e-6);
  EXPECT_NEAR(fit[1].slope, -2, 1e-6);
  EXPECT_NEAR(fit[1].offset, 0, 1e-6);
  EXPECT_NEAR(fit[2].slope, 0, 1e-6);
  EXPECT_LT(lines.residual(fit, kOnes), 1e-8 * lines.residual({}, kOnes));
}

TEST(ChannelLines, NoOtherLineIsCloser) {
  const ChannelLines lines = pairs(200, 0.3);
  for (const bool offsets : {true, false}) {
    const auto fit = lines.fit(0, offsets);
    const double least = lines.residual(fit, kOnes);
    for (const double by : {-0.01, 0.01}) {
      auto other = fit;
      for (Line& line : other) line.slope += by;
      EXPECT_GT(lines.residual(other, kOnes), least);
      if (!offsets) continue;
      other = fit;
      for (Line& line : other) line.offset += by;
      EXPECT_GT(lines.residual(other, kOnes), least);
    }
  }
}

TEST(ChannelLines, RidgePullsToTheOldValues) {
  const ChannelLines lines = pairs(200, 0.3);
  double last = 1e9;
  for (const double ridge : {0.0, 0.1, 1.0, 100.0, 1e6}) {
    const Line line = lines.fit(ridge, true)[0];
    const double size = line.slope * line.slope + line.offset * line.offset;
    EXPECT_LT(size, last) << ridge;
    last = size;
  }
  EXPECT_LT(last, 1e-9);
}

TEST(ChannelLines, SumsOfPartsAreTheWhole) {
  ChannelLines whole = pairs(40, 0.2);
  whole += pairs(40, 0.2);
  ChannelLines empty;
  empty += whole;
  EXPECT_EQ(empty.rows(), 80);
  const auto a = empty.fit(0, true);
  const auto b = pairs(40, 0.2).fit(0, true);
  EXPECT_NEAR(a[0].slope, b[0].slope, 1e-9);
}

TEST(ChannelLines, SaysNothingWhereNothingIsKnown) {
  ChannelLines none(2);
  for (const Line& line : none.fit(0, true)) {
    EXPECT_EQ(line.slope, 0);
    EXPECT_EQ(line.offset, 0);
  }
  const std::array<float, 2> zero{0, 0};
  const std::array<float, 2> wanted{3, 0};
  for (int i = 0; i < 5; ++i) none.add(zero, wanted);
  EXPECT_EQ(none.fit(0, false)[0].slope, 0);
  EXPECT_NEAR(none.fit(0, true)[0].offset, 3, 1e-12);  // only the mean can be moved
}

}  // namespace
}  // namespace onnxpress
