// SPDX-License-Identifier: Apache-2.0
#include "passes/deduplicate.h"

#include <gmock/gmock.h>

#include "passes/equal_tensors.h"
#include "passes/run_pass.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

using test::parse;

TEST(Deduplicate, EqualTensorsAreStoredOnce) {
  Model model = parse(R"(g (float[n,2] x) => (float[n,2] y)
    <float[2] a = {1, 2}, float[2] b = {1, 2}, float[2] c = {1, 3}, float[1,2] d = {1, 2}> {
      p = Add(x, a)  q = Mul(p, b)  r = Sub(q, c)  y = Div(r, d) })");
  const Model before = model;
  const PassPlan plan = test::run_pass(model, "deduplicate");
  ASSERT_EQ(plan.changes(), 1U);
  EXPECT_EQ(plan.units[0].label, "b");
  EXPECT_EQ(plan.bytes_before() - plan.bytes_after(), 8);
  const TensorMap in{{"x", Tensor::of<float>({1, 2}, {3, 5})}};
  EXPECT_TRUE(test::identical(test::run_model(before, in), test::run_model(model, in)));
}

TEST(Deduplicate, ZeroAndMinusZeroAreNotEqual) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = model.graph;
  const ValueId x = g.add_input("x", DType::float32, Shape{{2, ""}});
  const ValueId a = g.add("Add", {x, g.add_constant("a", Tensor::of<float>({1}, {0.0F}))}, {}, "p");
  g.add_output(g.add("Add", {a, g.add_constant("b", Tensor::of<float>({1}, {-0.0F}))}, {}, "y"));
  EXPECT_EQ(test::run_pass(model, "deduplicate").changes(), 0U);
}

Model with_head(bool head_first) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = model.graph;
  const Tensor table = test::noise({64, 32});
  const auto values = table.as<float>();
  std::vector<float> turned(values.size());
  for (std::size_t r = 0; r < 64; ++r) {
    for (std::size_t c = 0; c < 32; ++c) turned[c * 64 + r] = values[r * 32 + c];
  }
  const Tensor head = Tensor::of<float>({32, 64}, turned);
  ValueId w = kNoValue;
  if (head_first) w = g.add_constant("head", head);
  const ValueId t = g.add_constant("table", table);
  if (!head_first) w = g.add_constant("head", head);
  const ValueId ids = g.add_input("ids", DType::int64, Shape{{-1, "n"}});
  const ValueId y = g.add("MatMul", {g.add("Gather", {t, ids}, {}, "x"), w}, {}, "y");
  g.mutable_value(y).dtype = DType::float32;
  g.add_output(y);
  return model;
}

TEST(Deduplicate, AHeadThatIsTheTablesTransposeIsShared) {
  for (const bool head_first : {false, true}) {
    const Model before = with_head(head_first);
    Model model = before;
    const PassPlan plan = test::run_pass(model, "deduplicate");
    ASSERT_EQ(plan.changes(), 1U);
    EXPECT_EQ(plan.units[0].label, "head");  // the table is gathered from as it lies
    EXPECT_EQ(weight_bytes(model.graph), 64 * 32 * 4);
    EXPECT_THAT(model, test::HasOps("Gather", "Transpose", "MatMul"));
    const TensorMap in{{"ids", Tensor::of<std::int64_t>({3}, {5, 63, 0})}};
    EXPECT_TRUE(test::identical(test::run_model(before, in), test::run_model(model, in)));
    Model untouched = before;
    EXPECT_EQ(test::run_pass(untouched, "deduplicate", {{"transposed", false}}).changes(), 0U);
  }
}

TEST(Deduplicate, EqualNodesAreMergedButRandomOnesAndOutputsAreNot) {
  Model model = parse(R"(g (float[2] x) => (float[2] y, float[2] z) {
      a = Relu(x)  b = Relu(x)  c = Add(a, b)  d = Add(a, b)  y = Mul(c, d)  z = Mul(c, d) })");
  const Model before = model;
  test::run_pass(model, "deduplicate");
  EXPECT_THAT(model, test::HasOps("Relu", "Add", "Mul", "Mul"));
  const TensorMap in{{"x", Tensor::of<float>({2}, {-3, 5})}};
  EXPECT_TRUE(test::identical(test::run_model(before, in), test::run_model(model, in)));
  Model random = parse(R"(g (float[2] x) => (float[2] y) {
      a = RandomNormalLike(x)  b = RandomNormalLike(x)  y = Sub(a, b) })");
  EXPECT_EQ(test::run_pass(random, "deduplicate").changes(), 0U);
}

TEST(Deduplicate, AttributesTellNodesApart) {
  Model model = parse(R"(g (float[2,2] x) => (float[2,2] y) {
      a = Softmax <axis = 0> (x)  b = Softmax <axis = 1> (x)  y = Add(a, b) })");
  EXPECT_EQ(test::run_pass(model, "deduplicate").changes(), 0U);
}

}  // namespace
}  // namespace onnxpress
