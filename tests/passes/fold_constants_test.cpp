// SPDX-License-Identifier: Apache-2.0
#include "passes/fold_constants.h"

#include <gmock/gmock.h>

#include "passes/run_pass.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

using test::parse;

TEST(FoldConstants, FoldsTransposeOfAWeight) {
  Model model = parse(R"(g (float[n,2] x) => (float[n,3] y) <float[3,2] w = {1,2,3,4,5,6}> {
      t = Transpose <perm = [1, 0]> (w)  y = MatMul(x, t) })");
  const Model before = model;
  EXPECT_EQ(test::run_pass(model, "fold_constants").changes(), 1U);
  EXPECT_THAT(model, test::HasOps("MatMul"));
  const TensorMap in{{"x", Tensor::of<float>({1, 2}, {1, -2})}};
  EXPECT_TRUE(test::identical(test::run_model(before, in), test::run_model(model, in)));
}

TEST(FoldConstants, FoldsShapeArithmeticThroughManyNodes) {
  Model model = parse(R"(g (float[n,6] x) => (float[n,2,3] y)
    <int64[1] minus = {-1}, int64[1] six = {6}, int64[1] three = {3}> {
      two = Div(six, three)  shape = Concat <axis = 0> (minus, two, three)  y = Reshape(x, shape) })");
  test::run_pass(model, "fold_constants");
  EXPECT_THAT(model, test::HasOps("Reshape"));
  const TensorMap out = test::run_model(model, {{"x", test::noise({4, 6})}});
  EXPECT_EQ(out.at("y").dims(), (Dims{4, 2, 3}));
}

TEST(FoldConstants, NeverMaterialisesHugeResults) {
  Model model = parse(R"(g (float[1] x) => (float[a,b] y)
    <int64[2] big = {1048576, 1048576}, float[1] one = {1}, int64[1] many = {1000000000}> {
      c = Expand(one, big)  d = ConstantOfShape(big)  e = Tile(one, many)  f = Add(c, d)
      g = Add(f, e)  y = Add(g, x) })");
  const std::int64_t before = weight_bytes(model.graph);
  EXPECT_EQ(test::run_pass(model, "fold_constants").changes(), 0U);
  EXPECT_EQ(weight_bytes(model.graph), before);
}

TEST(FoldConstants, LeavesAloneWhatIsNotFixed) {
  // Random numbers, inexact functions, and inputs with a default that callers may override.
  Model model = parse(
      R"(g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}, float[2] v = {3, 4}> {
      a = Neg(w)  b = Exp(v)  c = RandomNormalLike(v)  d = Add(a, b)  e = Add(d, c)  y = Add(e, x) })");
  EXPECT_EQ(test::run_pass(model, "fold_constants").changes(), 0U);
  EXPECT_EQ(test::op_types(model.graph).size(), 6U);
}

TEST(FoldConstants, OutputsKeepTheirProducers) {
  Model model = parse("g () => (float[2] y) <float[2] w = {1, 2}> { y = Neg(w) }");
  EXPECT_EQ(test::run_pass(model, "fold_constants").changes(), 0U);
}

TEST(FoldConstants, DropsWhatNobodyReads) {
  Model model =
      parse(R"(g (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float[3] orphan = {1, 2, 3}> {
      unused = Exp(w)  y = Relu(x) })");
  const PassPlan plan = test::run_pass(model, "fold_constants");
  EXPECT_EQ(plan.bytes_before() - plan.bytes_after(), 20);
  EXPECT_THAT(model, test::HasOps("Relu"));
}

TEST(FoldConstants, IntegerDivisionByZeroIsLeftToTheModel) {
  Model model = parse(R"(g (int64[1] x) => (int64[1] y) <int64[1] a = {1}, int64[1] z = {0}> {
      d = Div(a, z)  y = Add(x, d) })");
  EXPECT_EQ(test::run_pass(model, "fold_constants").changes(), 0U);
}

}  // namespace
}  // namespace onnxpress
