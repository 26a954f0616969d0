// SPDX-License-Identifier: Apache-2.0
#include "support/parse.h"

#include <gtest/gtest.h>

namespace onnxpress::test {
namespace {

TEST(Parse, ReadsAGraphWithAnInitializer) {
  const Model m = parse(
      "g (float[n,2] x) => (float[n,3] y) <float[2,3] w = {1,2,3,4,5,6}> { y = MatMul(x, w) }");
  EXPECT_EQ(m.opset(), 18);
  EXPECT_THAT(m, HasOps("MatMul"));
  const Graph& g = m.graph;
  const Node& product = g.node(g.nodes()[0]);
  ASSERT_NE(g.constant(product.input(1)), nullptr);
  EXPECT_EQ(*g.constant(product.input(1)), Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(to_string(*g.value(g.inputs()[0]).shape), "[n, 2]");
}

TEST(Parse, ReadsAttributesAndConstants) {
  const Model m = parse(R"(<ir_version: 7, opset_import: ["" : 13]>
    g (float[4,2] x) => (float[2,4] y) {
      t = Transpose <perm = [1, 0]> (x)
      c = Constant <value = float[1] {3}> ()
      y = Mul(t, c)
    })");
  EXPECT_EQ(m.opset(), 13);
  EXPECT_THAT(m.graph, HasOps("Constant", "Mul", "Transpose"));
  EXPECT_EQ(m.graph.node(m.graph.nodes()[0]).attributes.get_ints("perm"),
            (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(*m.graph.constant(*m.graph.find_value("c")), Tensor::of<float>({1}, {3}));
}

}  // namespace
}  // namespace onnxpress::test
