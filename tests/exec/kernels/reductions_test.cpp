// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "exec/run.h"

namespace onnxpress::test {
namespace {

const Tensor kX = floats({2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});

Tensor reduced(const std::string& call, int opset) {
  return run("<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) +
                 "]> g (float[2,3,2] x) => (float[a] y) <int64[2] axes = {0, -1}> { y = " + call +
                 " }",
             {{"x", kX}});
}

TEST(Reductions, TakeAxesAsAttributeOrInput) {
  const std::vector<float> sums{1 + 2 + 7 + 8, 3 + 4 + 9 + 10, 5 + 6 + 11 + 12};
  EXPECT_EQ(reduced("ReduceSum<axes = [0, 2], keepdims = 0>(x)", 11), floats({3}, sums));
  EXPECT_EQ(reduced("ReduceSum<keepdims = 0>(x, axes)", 13), floats({3}, sums));
  EXPECT_EQ(reduced("ReduceMean<axes = [0, 2]>(x)", 13), floats({1, 3, 1}, {4.5, 6.5, 8.5}));
  EXPECT_EQ(reduced("ReduceMean(x, axes)", 18), floats({1, 3, 1}, {4.5, 6.5, 8.5}));
}

TEST(Reductions, WithoutAxesTakeAllOrNothing) {
  EXPECT_EQ(reduced("ReduceMax<keepdims = 0>(x)", 13), floats({}, {12}));
  EXPECT_EQ(reduced("ReduceSum<noop_with_empty_axes = 1>(x)", 13), kX);
}

TEST(Reductions, ComputeTheirFunctions) {
  const auto of = [](const std::string& op) {
    return run("g (float[4] x) => (float[1] y) { y = " + op + "(x) }",
               {{"x", floats({4}, {1, -2, 3, 4})}})
        .as<float>()[0];
  };
  EXPECT_FLOAT_EQ(of("ReduceSum"), 6);
  EXPECT_FLOAT_EQ(of("ReduceMean"), 1.5);
  EXPECT_FLOAT_EQ(of("ReduceL1"), 10);
  EXPECT_FLOAT_EQ(of("ReduceL2"), std::sqrt(30.0F));
  EXPECT_FLOAT_EQ(of("ReduceSumSquare"), 30);
  EXPECT_FLOAT_EQ(of("ReduceProd"), -24);
  EXPECT_FLOAT_EQ(of("ReduceMin"), -2);
  EXPECT_FLOAT_EQ(of("ReduceLogSum"), std::log(6.0F));
  EXPECT_FLOAT_EQ(of("ReduceLogSumExp"),
                  std::log(std::exp(1.0F) + std::exp(-2.0F) + std::exp(3.0F) + std::exp(4.0F)));
}

TEST(Reductions, AreExactWhereFloatSumsAreNot) {
  // 2^24 and many ones: a plain float sum would stay at 2^24.
  std::vector<float> x(1001, 1.0F);
  x[0] = 16777216.0F;
  EXPECT_EQ(
      run("g (float[1001] x) => (float[1] y) { y = ReduceSum(x) }", {{"x", floats({1001}, x)}}),
      floats({1}, {16778216.0F}));
}

TEST(ArgMax, TakesTheFirstOrTheLast) {
  const Tensor x = floats({2, 3}, {1, 5, 5, 7, 7, 2});
  EXPECT_EQ(
      run("g (float[2,3] x) => (int64[2] y) { y = ArgMax<axis = 1, keepdims = 0>(x) }", {{"x", x}}),
      ints({2}, {1, 0}));
  EXPECT_EQ(run("g (float[2,3] x) => (int64[2] y) "
                "{ y = ArgMax<axis = -1, keepdims = 0, select_last_index = 1>(x) }",
                {{"x", x}}),
            ints({2}, {2, 1}));
}

TEST(Softmax, FlattensUpToOpset12) {
  const Tensor x = floats({1, 2, 2}, {0, 0, 0, 0});
  const auto softmax = [&](int opset) {
    return run("<ir_version: 7, opset_import: [\"\" : " + std::to_string(opset) +
                   "]> g (float[1,2,2] x) => (float[1,2,2] y) { y = Softmax<axis = 1>(x) }",
               {{"x", x}});
  };
  EXPECT_EQ(softmax(11), floats({1, 2, 2}, {0.25, 0.25, 0.25, 0.25}));
  EXPECT_EQ(softmax(13), floats({1, 2, 2}, {0.5, 0.5, 0.5, 0.5}));
}

TEST(Softmax, DoesNotOverflow) {
  EXPECT_LE(max_difference(run("g (float[3] x) => (float[3] y) { y = Softmax(x) }",
                               {{"x", floats({3}, {1e30F, 1e30F, -1e30F})}}),
                           floats({3}, {0.5, 0.5, 0})),
            0);
}

}  // namespace
}  // namespace onnxpress::test
