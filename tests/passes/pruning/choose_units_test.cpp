// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/choose_units.h"

#include <gtest/gtest.h>

namespace onnxpress {
namespace {

using Kept = std::vector<std::vector<std::int64_t>>;

TEST(ChooseUnits, TheLowestOfEachLayerGo) {
  const std::vector<ScoredLayer> layers = {{{4, 1, 3, 2}}, {{10, 40, 30, 20}}};
  EXPECT_EQ(choose_units(layers, {.ratio = 0.5, .by_layer = true}, true), (Kept{{0, 2}, {1, 2}}));
  EXPECT_EQ(choose_units(layers, {.count = 1, .by_layer = true}, true),
            (Kept{{0, 2, 3}, {1, 2, 3}}));
}

TEST(ChooseUnits, GloballyScoresAreComparedAsTheyAreOrByLayerNorm) {
  const std::vector<ScoredLayer> layers = {{{4, 1, 3, 2}}, {{10, 40, 30, 20}}};
  EXPECT_EQ(choose_units(layers, {.ratio = 0.25}, true), (Kept{{0, 2}, {0, 1, 2, 3}}));
  EXPECT_EQ(choose_units(layers, {.ratio = 0.25}, false), (Kept{{0, 2, 3}, {1, 2, 3}}));
}

TEST(ChooseUnits, SavingsSayWhichLayersLoseUnits) {
  const std::vector<ScoredLayer> layers = {{{4, 1, 3, 2}}, {{10, 40, 30, 20}}};
  PruningTarget target;
  target.least = 2;
  target.savings = {{0, 1, 2, 3}, {0, 1, 2, 3}};
  EXPECT_EQ(choose_units(layers, target, true), (Kept{{0, 2}, {0, 1, 2, 3}}));
  target.savings = {{0, 0, 0, 1}, {0, 1, 2, 3}};  // two heads of four save nothing
  EXPECT_EQ(choose_units(layers, target, true), (Kept{{0}, {1, 2, 3}}));
  target.savings = {{0, 0, 0, 0.5}, {0, 1, 2, 3}};
  EXPECT_EQ(choose_units(layers, target, true), (Kept{{0, 1, 2, 3}, {1, 2}}));
  target.least = 4;
  EXPECT_EQ(choose_units(layers, target, true), (Kept{{0}, {1}}));
}

TEST(ChooseUnits, PossibleCutsLeaveMultiples) {
  ScoredLayer layer{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
  layer.multiple_of = 4;
  EXPECT_EQ(possible_cuts(layer), (std::vector<std::int64_t>{0, 2, 6}));
}

TEST(ChooseUnits, OneUnitOfEachLayerStays) {
  const std::vector<ScoredLayer> layers = {{{1, 2}}, {{30, 40}}};
  EXPECT_EQ(choose_units(layers, {.ratio = 0.99}, true), (Kept{{1}, {1}}));
  EXPECT_EQ(choose_units(layers, {.ratio = 0.99, .by_layer = true}, true), (Kept{{1}, {1}}));
}

TEST(ChooseUnits, KeptUnitsComeInMultiples) {
  ScoredLayer layer{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
  layer.multiple_of = 4;
  EXPECT_EQ(choose_units({layer}, {.ratio = 0.3, .by_layer = true}, true)[0].size(), 8U);
  EXPECT_EQ(choose_units({layer}, {.ratio = 0.7}, true)[0].size(), 4U);
  EXPECT_EQ(choose_units({layer}, {.ratio = 0.1}, true)[0].size(), 10U);
  EXPECT_EQ(choose_units({layer}, {.ratio = 0.99}, true)[0].size(), 4U);
}

TEST(ChooseUnits, ARatioCountsPartsOfAllBlocks) {
  // A unit of the first has 2 heads in each of 2 blocks: of 12 heads 3 may go, but not 4.
  const std::vector<ScoredLayer> layers = {{{1, 2}, 2, 2}, {{30, 40, 50, 60}}};
  EXPECT_EQ(choose_units(layers, {.ratio = 0.3}, true), (Kept{{0, 1}, {3}}));
  EXPECT_EQ(choose_units(layers, {.ratio = 0.34}, true), (Kept{{1}, {0, 1, 2, 3}}));
}

TEST(ChooseUnits, EqualScoresGoFromTheBack) {
  EXPECT_EQ(choose_units({{{1, 1, 1, 1}}}, {.ratio = 0.5}, true), (Kept{{0, 1}}));
}

TEST(ChooseUnits, NarrowLayersKeepSmallerMultiples) {
  EXPECT_EQ(fitting_multiple(3072), 32);
  EXPECT_EQ(fitting_multiple(512), 32);
  EXPECT_EQ(fitting_multiple(192), 8);
  EXPECT_EQ(fitting_multiple(20), 1);
}

}  // namespace
}  // namespace onnxpress
