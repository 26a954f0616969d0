// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_codes.h"
#include "ir/graph.h"

namespace onnxpress {
namespace {

TEST(Sort, PutsProducersFirstAndKeepsTheRest) {
  Graph g;
  const ValueId x = g.add_input("x", DType::float32, std::nullopt);
  const ValueId late = g.add_value("late");
  const ValueId first = g.add("Neg", {late}, {}, "first");
  const ValueId other = g.add("Relu", {x}, {}, "other");
  Node node;
  node.op_type = "Abs";
  node.inputs = {x};
  node.outputs = {late};
  g.add_node(node);
  g.add_output(first);
  g.add_output(other);
  EXPECT_THROW(g.verify(), Error);
  g.sort();
  EXPECT_NO_THROW(g.verify());
  std::vector<std::string> ops;
  for (const NodeId id : g.nodes()) ops.push_back(g.node(id).op_type);
  EXPECT_THAT(ops, testing::ElementsAre("Relu", "Abs", "Neg"));
}

TEST(Sort, NamesTheNodesOfACycle) {
  Graph g;
  const ValueId x = g.add_input("x", DType::float32, std::nullopt);
  const ValueId back = g.add_value("back");
  const ValueId sum = g.add("Add", {x, back}, {}, "sum");
  const ValueId relu = g.add("Relu", {sum}, {}, "relu");
  Node node;
  node.name = "closing";
  node.op_type = "Neg";
  node.inputs = {relu};
  node.outputs = {back};
  g.add_node(node);
  g.add("Sigmoid", {relu}, {}, "behind");
  try {
    g.sort();
    FAIL() << "a cycle was sorted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("closing"));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("behind")));
  }
}

TEST(Sort, ALongChainNeedsNoRecursion) {
  Graph g;
  ValueId v = g.add_input("x", DType::float32, std::nullopt);
  for (int i = 0; i < 200'000; ++i) v = g.add("Neg", {v}, {}, "v");
  g.sort();
  EXPECT_EQ(g.nodes().size(), 200'000U);
  EXPECT_EQ(g.remove_unused(), 200'000U);
}

}  // namespace
}  // namespace onnxpress
