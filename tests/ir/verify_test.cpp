// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_codes.h"
#include "ir/graph.h"

namespace onnxpress {
namespace {

std::string broken_rule(const Graph& graph) {
  try {
    graph.verify();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Verify, NamesAnOutputThatIsNeverProduced) {
  Graph g;
  g.add_output(g.add_value("y"));
  EXPECT_THAT(broken_rule(g), testing::HasSubstr("\"y\""));
}

TEST(Verify, NamesAValueThatIsReadButNotProduced) {
  Graph g;
  g.add_output(g.add("Neg", {g.add_value("nothing")}, {}, "y"));
  EXPECT_THAT(broken_rule(g), testing::HasSubstr("\"nothing\""));
}

TEST(Verify, NoticesAConstantOfAnotherType) {
  Graph g;
  const ValueId w = g.add_constant("w", Tensor::scalar(1.0F));
  g.add_output(w);
  EXPECT_EQ(broken_rule(g), "");
  g.mutable_value(w).dtype = DType::int8;
  EXPECT_THAT(broken_rule(g), testing::HasSubstr("int8"));
}

TEST(Verify, NoticesInputsChangedBehindTheGraphsBack) {
  Graph g;
  const ValueId x = g.add_input("x", DType::float32, std::nullopt);
  const ValueId z = g.add_input("z", DType::float32, std::nullopt);
  const ValueId y = g.add("Neg", {x}, {}, "y");
  g.add_output(y);
  g.mutable_node(*g.producer_id(y)).inputs[0] = z;
  EXPECT_NE(broken_rule(g), "");
}

}  // namespace
}  // namespace onnxpress
