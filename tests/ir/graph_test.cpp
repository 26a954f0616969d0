// SPDX-License-Identifier: Apache-2.0
#include "ir/graph.h"

#include <gtest/gtest.h>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

// x -> Relu -> a -> MatMul(w) -> y
struct Chain {
  Graph g;
  ValueId x, w, a, y;
  Chain() {
    x = g.add_input("x", DType::float32, std::nullopt);
    w = g.add_constant("w", Tensor::of<float>({1, 1}, {2}));
    a = g.add("Relu", {x}, {}, "a");
    y = g.add("MatMul", {a, w}, {}, "y");
    g.add_output(y);
  }
};

TEST(Graph, KnowsProducersAndUses) {
  const Chain c;
  EXPECT_EQ(c.g.producer(c.y)->op_type, "MatMul");
  EXPECT_EQ(c.g.producer(c.x), nullptr);
  ASSERT_EQ(c.g.value(c.w).uses.size(), 1U);
  EXPECT_EQ(c.g.value(c.w).uses[0].input, 1U);
  EXPECT_EQ(c.g.single_user(c.a), c.g.producer_id(c.y));
  EXPECT_EQ(c.g.single_user(c.y), std::nullopt);
  EXPECT_NE(c.g.constant(c.w), nullptr);
  EXPECT_EQ(c.g.constant(kNoValue), nullptr);
  EXPECT_NO_THROW(c.g.verify());
}

TEST(Graph, ReplacesUsesButNotOutputs) {
  Chain c;
  const ValueId b = c.g.add("Neg", {c.x}, {}, "b");
  c.g.replace_all_uses(c.a, b);
  c.g.sort();
  EXPECT_NO_THROW(c.g.verify());
  EXPECT_TRUE(c.g.value(c.a).uses.empty());
  EXPECT_EQ(c.g.remove_unused(), 1U);  // the Relu
  EXPECT_EQ(c.g.nodes().size(), 2U);
  EXPECT_EQ(c.g.value(c.g.outputs()[0]).name, "y");
}

TEST(Graph, AnOutputKeepsItsNameUnderANewProducer) {
  Chain c;
  c.g.erase(*c.g.producer_id(c.y));
  Node node;
  node.op_type = "Neg";
  node.inputs = {c.a};
  node.outputs = {c.y};
  c.g.add_node(node);
  EXPECT_NO_THROW(c.g.verify());
  EXPECT_EQ(c.g.producer(c.y)->op_type, "Neg");
}

TEST(Graph, RefusesASecondProducer) {
  Chain c;
  Node node;
  node.op_type = "Neg";
  node.inputs = {c.x};
  node.outputs = {c.a};
  EXPECT_THROW(c.g.add_node(node), Error);
}

TEST(Graph, MakesUniqueNames) {
  Chain c;
  const ValueId again = c.g.add_constant("w", Tensor::scalar(1.0F));
  EXPECT_EQ(c.g.value(again).name, "w_1");
}

TEST(Graph, ConstantNodesAreConstants) {
  Graph g;
  const ValueId v = g.add("Constant", {}, {{"value_ints", std::vector<std::int64_t>{3, 4}}}, "c");
  ASSERT_NE(g.constant(v), nullptr);
  EXPECT_EQ(g.constant(v)->to_int64s(), (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(g.value(v).dtype, DType::int64);
}

TEST(Graph, AnOverridableInputIsNotAConstant) {
  Graph g;
  const ValueId v = g.add_input("w", DType::float32, std::nullopt);
  g.set_constant(v, Tensor::scalar(1.0F));
  EXPECT_EQ(g.constant(v), nullptr);
}

TEST(Graph, RemovesUnusedNodesAndInitializers) {
  Chain c;
  c.g.add("Add", {c.a, c.g.add_constant("unused", Tensor::scalar(1.0F))}, {}, "dead");
  EXPECT_EQ(c.g.remove_unused(), 1U);
  EXPECT_FALSE(c.g.value(*c.g.find_value("unused")).constant.has_value());
  EXPECT_NO_THROW(c.g.verify());
}

TEST(Graph, ACopySharesTheWeights) {
  const Chain c;
  const Graph copy = c.g;
  EXPECT_EQ(copy.constant(c.w)->bytes().data(), c.g.constant(c.w)->bytes().data());
  EXPECT_EQ(to_text(copy), to_text(c.g));
}

TEST(Graph, CapturesCountAsUses) {
  Chain c;
  Graph body;
  const ValueId inner = body.add_capture("a");
  body.add_output(body.add("Neg", {inner}, {}, "negated"));
  Node node;
  node.op_type = "If";
  node.inputs = {c.x};
  node.captures = {c.a};
  node.attributes.set("then_branch", Subgraph(body));
  node.outputs = {c.g.add_value("branch")};
  c.g.add_node(node);
  EXPECT_EQ(c.g.value(c.a).uses.size(), 2U);
  EXPECT_EQ(c.g.value(c.a).uses[1].input, 1U);
  EXPECT_NO_THROW(c.g.verify());
}

}  // namespace
}  // namespace onnxpress
