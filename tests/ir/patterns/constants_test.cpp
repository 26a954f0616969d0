// SPDX-License-Identifier: Apache-2.0
#include "ir/patterns/constants.h"

#include <gtest/gtest.h>

namespace onnxpress::patterns {
namespace {

TEST(ScalarConstant, IsReadWhereverAnExporterPutsIt) {
  Graph g;
  const ValueId half = g.add_constant("half", Tensor::scalar<float>(0.5F));
  const ValueId axes = g.add_constant("axes", Tensor::of<std::int64_t>({1}, {0}));
  const ValueId unsqueezed = g.add("Unsqueeze", {half, axes}, {}, "u");
  const ValueId cast = g.add("Cast", {unsqueezed}, {{"to", std::int64_t{1}}}, "c");
  EXPECT_EQ(scalar_constant(g, half), 0.5);
  EXPECT_EQ(scalar_constant(g, cast), 0.5);
  EXPECT_EQ(scalar_constant(g, kNoValue), std::nullopt);

  const ValueId all = g.add_constant("all", Tensor::of<float>({3}, {4, 4, 4}));
  const ValueId mixed = g.add_constant("mixed", Tensor::of<float>({3}, {4, 4, 5}));
  EXPECT_EQ(scalar_constant(g, all), 4.0);
  EXPECT_EQ(scalar_constant(g, mixed), std::nullopt);
  EXPECT_EQ(scalar_constant(g, g.add("Div", {half, g.add("Sqrt", {all}, {}, "s")}, {}, "d")), 0.25);
}

TEST(ScalarConstant, RefusesWhatACallerMayOverride) {
  Graph g;
  const ValueId x = g.add_input("x", DType::float32, Shape{});
  EXPECT_EQ(scalar_constant(g, x), std::nullopt);
  const ValueId defaulted = g.add_input("d", DType::float32, Shape{});
  g.set_constant(defaulted, Tensor::scalar<float>(2));
  EXPECT_EQ(scalar_constant(g, defaulted), std::nullopt);
  EXPECT_EQ(constant_behind(g, g.add("Identity", {defaulted}, {}, "i")), nullptr);
}

TEST(ScalarConstant, EndsOnLongChains) {
  Graph g;
  ValueId v = g.add_constant("v", Tensor::scalar<float>(1));
  for (int i = 0; i < 1000; ++i) v = g.add("Identity", {v}, {}, "i");
  EXPECT_EQ(scalar_constant(g, v), std::nullopt);
}

TEST(IsReplaceable, NeedsInnerValuesToBeUnusedElsewhere) {
  Graph g;
  const ValueId x = g.add_input("x", DType::float32, Shape{});
  const ValueId inner = g.add("Relu", {x}, {}, "inner");
  const ValueId out = g.add("Neg", {inner}, {}, "out");
  g.add_output(out);
  const std::vector<NodeId> nodes = {*g.producer_id(inner), *g.producer_id(out)};
  EXPECT_TRUE(is_replaceable(g, nodes, out));
  const ValueId elsewhere = g.add("Abs", {inner}, {}, "elsewhere");
  EXPECT_FALSE(is_replaceable(g, nodes, out));
  g.erase(*g.producer_id(elsewhere));
  EXPECT_TRUE(is_replaceable(g, nodes, out));
  g.add_output(inner);
  EXPECT_FALSE(is_replaceable(g, nodes, out));
}

}  // namespace
}  // namespace onnxpress::patterns
