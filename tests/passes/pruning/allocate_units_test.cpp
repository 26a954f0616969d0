// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/allocate_units.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace onnxpress {
namespace {

TEST(AllocateUnits, TakesFromTheLayersThatLoseLeast) {
  const std::vector<CutCosts> layers = {
      {{0, 32, 64, 96}, {0, 5, 6, 20}}, {{0, 32, 64, 96}, {0, 1, 2, 30}}, {{0, 16, 48}, {0, 1, 9}}};
  EXPECT_EQ(allocate_cuts(layers, 64), (std::vector<std::size_t>{0, 2, 0}));
  EXPECT_EQ(allocate_cuts(layers, 80), (std::vector<std::size_t>{0, 2, 1}));
  EXPECT_EQ(allocate_cuts(layers, 128), (std::vector<std::size_t>{2, 2, 0}));
  EXPECT_EQ(allocate_cuts(layers, 15), (std::vector<std::size_t>{0, 0, 0}));
  EXPECT_EQ(allocate_cuts(layers, 1000), (std::vector<std::size_t>{3, 3, 2}));
  EXPECT_TRUE(allocate_cuts({}, 10).empty());
}

TEST(AllocateUnits, FindsWhatTryingAllFinds) {
  std::mt19937 random(4);
  for (int round = 0; round < 50; ++round) {
    std::vector<CutCosts> layers;
    for (int layer = 0; layer < 3; ++layer) {
      CutCosts costs{{0}, {0}};
      for (int i = 0; i < 4; ++i) {
        costs.parts.push_back(costs.parts.back() + 2 + 2 * static_cast<int>(random() % 3));
        costs.loss.push_back(costs.loss.back() + static_cast<double>(random() % 100));
      }
      layers.push_back(costs);
    }
    const std::int64_t most = 4 + static_cast<std::int64_t>(random() % 20);
    std::int64_t parts = -1;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < 125; ++i) {
      const std::size_t cut[] = {i % 5, i / 5 % 5, i / 25};
      std::int64_t sum = 0;
      double loss = 0;
      for (std::size_t k = 0; k < 3; ++k) {
        sum += layers[k].parts[cut[k]];
        loss += layers[k].loss[cut[k]];
      }
      if (sum > most || sum < parts || (sum == parts && loss >= least)) continue;
      parts = sum;
      least = loss;
    }
    const auto found = allocate_cuts(layers, most);
    std::int64_t sum = 0;
    double loss = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      sum += layers[k].parts[found[k]];
      loss += layers[k].loss[found[k]];
    }
    EXPECT_EQ(sum, parts);
    EXPECT_EQ(loss, least);
  }
}

TEST(AllocateUnits, SavesEnoughAtTheLeastLoss) {
  // The second layer's first three cuts save nothing.
  const std::vector<CutGains> layers = {{{0, 1, 2, 3}, {0, 2, 4, 9}},
                                        {{0, 0, -0.1, 2}, {0, 1, 1, 3}}};
  EXPECT_EQ(allocate_gains(layers, 1), (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(allocate_gains(layers, 2), (std::vector<std::size_t>{0, 3}));
  EXPECT_EQ(allocate_gains(layers, 3), (std::vector<std::size_t>{1, 3}));
  EXPECT_EQ(allocate_gains(layers, 5), (std::vector<std::size_t>{3, 3}));
  EXPECT_EQ(allocate_gains(layers, 50), (std::vector<std::size_t>{3, 3}));  // as much as can be
}

TEST(AllocateUnits, SavesWhatTryingAllSaves) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<CutGains> layers;
    for (int layer = 0; layer < 3; ++layer) {
      CutGains gains{{0}, {0}};
      for (int i = 0; i < 4; ++i) {
        gains.saved.push_back(static_cast<double>(random() % 8));
        gains.loss.push_back(gains.loss.back() + static_cast<double>(random() % 100));
      }
      layers.push_back(gains);
    }
    const auto sums = [&](const std::vector<std::size_t>& cut) {
      std::pair<double, double> sum;  // saved, loss
      for (std::size_t k = 0; k < 3; ++k) {
        sum.first += layers[k].saved[cut[k]];
        sum.second += layers[k].loss[cut[k]];
      }
      return sum;
    };
    constexpr double kLeast = 8;  // a power of two: nothing is rounded
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < 125; ++i) {
      const auto [saved, loss] = sums({i % 5, i / 5 % 5, i / 25});
      if (saved >= kLeast) least = std::min(least, loss);
    }
    const auto [saved, loss] = sums(allocate_gains(layers, kLeast));
    if (std::isinf(least)) continue;
    EXPECT_GE(saved, kLeast);
    EXPECT_EQ(loss, least);
  }
}

}  // namespace
}  // namespace onnxpress
