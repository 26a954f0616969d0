// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/axis_cut.h"

#include <gtest/gtest.h>

namespace onnxpress {
namespace {

const SymbolicDim kBatch{0, 1};
const SymbolicDim kLength{0, 2};

TEST(AxisCut, AHeadIsFollowedThroughReshapes) {
  const SymbolicShape flat = {kBatch, kLength, known(8)};
  const SymbolicShape apart = {kBatch, kLength, known(4), known(2)};
  const AxisCut places{2, {false, false, true, true, false, false, false, false}};
  const AxisCut head{2, {false, true, false, false}};
  EXPECT_EQ(reshaped(places, flat, apart), head);
  EXPECT_EQ(reshaped(head, apart, flat), places);
  EXPECT_EQ(head.kept(), (std::vector<std::int64_t>{0, 2, 3}));
}

TEST(AxisCut, HalfAHeadIsNoPartOfAnAxis) {
  const AxisCut half{0, {false, true, false, false}};
  EXPECT_EQ(reshaped(half, {known(4)}, {known(2), known(2)}), std::nullopt);
}

TEST(AxisCut, GroupsGoWholeOrByTheirPlaceInEach) {
  const SymbolicShape heads = {kBatch, known(4), kLength, known(2)};
  const SymbolicShape groups = {kBatch, known(2), known(2), kLength, known(2)};
  EXPECT_EQ(reshaped({1, {true, true, false, false}}, heads, groups), (AxisCut{1, {true, false}}));
  EXPECT_EQ(reshaped({1, {true, false, true, false}}, heads, groups), (AxisCut{2, {true, false}}));
  EXPECT_EQ(reshaped({1, {true, false, false, false}}, heads, groups), std::nullopt);
}

TEST(AxisCut, WhatLiesBehindTheAxisMustBeTheSame) {
  const AxisCut head{1, {true, false}};
  const SymbolicShape in = {kBatch, known(2), kLength};
  EXPECT_EQ(reshaped(head, in, {kBatch, known(2), kBatch}), std::nullopt);
  EXPECT_EQ(reshaped(head, in, {kBatch, known(1), known(2), kLength}), (AxisCut{2, {true, false}}));
}

TEST(AxisCut, TensorsLoseTheirPlaces) {
  const Tensor tensor = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(sliced(tensor, {1, {false, true, false}}, false),
            Tensor::of<float>({2, 2}, {1, 3, 4, 6}));
  EXPECT_EQ(sliced(tensor, {0, {true, false}}, false), Tensor::of<float>({1, 3}, {4, 5, 6}));
  EXPECT_EQ(sliced(tensor, {0, {true, false}}, true)->dims(), (Dims{1, 3}));
  EXPECT_EQ(sliced(tensor, {0, {true, false, false}}, false), std::nullopt);
}

}  // namespace
}  // namespace onnxpress
