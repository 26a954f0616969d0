// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "exec/run.h"

namespace onnxpress::test {
namespace {

const Tensor kX = floats({2, 4}, {1, 2, 3, 4, -2, 0, 0, 2});
const Tensor kGain = floats({4}, {1, 2, 1, 1}), kShift = floats({4}, {0, 0, 1, 0});

TEST(LayerNormalization, NormalisesRows) {
  const Tensor y = run(R"(g (float[2,4] x, float[4] w, float[4] b) => (float[2,4] y)
                       { y = LayerNormalization<axis = -1, epsilon = 0.0>(x, w, b) })",
                       {{"x", kX}, {"w", kGain}, {"b", kShift}});
  const float a = 1.5F / std::sqrt(1.25F), b = 0.5F / std::sqrt(1.25F), c = 2 / std::sqrt(2.0F);
  EXPECT_LE(max_difference(y, floats({2, 4}, {-a, -2 * b, b + 1, a, -c, 0, 1, c})), 1e-6);
}

TEST(LayerNormalization, SurvivesALargeMean) {
  const Tensor y = run(
      R"(g (float[1,4] x, float[4] w) => (float[1,4] y)
                       { y = LayerNormalization<epsilon = 0.0>(x, w) })",
      {{"x", floats({1, 4}, {100001, 100002, 100003, 100004})}, {"w", floats({4}, {1, 1, 1, 1})}});
  const float a = 1.5F / std::sqrt(1.25F), b = 0.5F / std::sqrt(1.25F);
  EXPECT_LE(max_difference(y, floats({1, 4}, {-a, -b, b, a})), 1e-5);
}

TEST(SkipLayerNormalization, AddsFirstAndGivesTheSum) {
  const Model model = parse(R"(<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    g (float[2,4] x, float[2,4] s, float[4] w, float[4] b) => (float[2,4] y, float[2,4] sum, float[2,4] z) {
      y, m, v, sum = com.microsoft.SkipLayerNormalization<epsilon = 0.0>(x, s, w, b)
      added = Add(x, s)
      z = LayerNormalization<epsilon = 0.0>(added, w, b)
    })");
  Model without = model;
  Node& node = without.graph.mutable_node(without.graph.nodes()[0]);
  const auto unused = [](ValueId) { return kNoValue; };
  node.outputs[1] = unused(node.outputs[1]);
  node.outputs[2] = unused(node.outputs[2]);
  const Tensor skip = floats({2, 4}, {1, 0, 0, 0, 5, 0, 0, 1});
  const Session session(without, {.threads = 1, .reference_kernels = true});
  const auto out = session.run({{"x", kX}, {"s", skip}, {"w", kGain}, {"b", kShift}});
  EXPECT_LE(max_difference(out.at("y"), out.at("z")), 1e-6);
  EXPECT_EQ(out.at("sum"), floats({2, 4}, {2, 2, 3, 4, 3, 0, 0, 3}));
}

TEST(RmsNormalization, DividesByTheRootMeanSquare) {
  const Tensor y = run(R"(<ir_version: 10, opset_import: ["" : 23]>
                       g (float[2,4] x, float[4] w) => (float[2,4] y)
                       { y = RMSNormalization<epsilon = 0.0>(x, w) })",
                       {{"x", kX}, {"w", kGain}});
  const float r = std::sqrt(30 / 4.0F), q = std::sqrt(2.0F);
  EXPECT_LE(max_difference(y, floats({2, 4}, {1 / r, 4 / r, 3 / r, 4 / r, -2 / q, 0, 0, 2 / q})),
            1e-6);
}

}  // namespace
}  // namespace onnxpress::test
