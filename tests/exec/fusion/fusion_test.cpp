// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../run.h"
#include "counts.h"

namespace onnxpress::test {
namespace {

using Counts = std::map<std::string, int>;

Tensor ramp(Dims dims, float from, float step) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = from + step * static_cast<float>(i * 37 % 23);
  }
  return Tensor::of<float>(std::move(dims), std::move(values));
}

// The fused session runs exactly these operators and computes what the plain kernels compute.
void expect_fused(const std::string& text, const TensorMap& inputs, const Counts& expected,
                  double tolerance = 1e-5) {
  const Model model = parse(text);
  const Session plain(model, {.threads = 1, .reference_kernels = true, .fuse = false});
  const TensorMap reference = plain.run(inputs);
  for (const auto level : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::amx}) {
    const Session fused(model, {.threads = 2, .instruction_set = level});
    EXPECT_EQ(operator_counts(fused), expected) << fused.describe();
    const TensorMap outputs = fused.run(inputs);
    for (const auto& [name, tensor] : reference) {
      EXPECT_LE(max_difference(outputs.at(name), tensor), tolerance * spread(tensor)) << name;
    }
  }
}

TEST(Fusion, PutsBiasActivationAndResidualIntoAProduct) {
  expect_fused(R"(g (float[n,4] x, float[n,3] r) => (float[n,3] y)
      <float[4,3] w = {1,2,3,4,5,6,7,8,9,1,2,3}, float[3] b = {0.5,-1,2}> {
        p = MatMul(x, w)  s = Add(b, p)  a = Relu(s)  y = Add(a, r) })",
               {{"x", ramp({5, 4}, -1, 0.1F)}, {"r", ramp({5, 3}, 0, 1)}}, {{"Product", 1}});
}

TEST(Fusion, AddsAResidualThatBroadcasts) {
  const std::string text = R"(g (float[n,4] x, float[a,b,c] r) => (float[d,e,f] y)
      <float[4,3] w = {1,2,3,4,5,6,7,8,9,1,2,3}> { p = MatMul(x, w)  y = Add(p, r) })";
  for (const Dims& dims : {Dims{2, 5, 3}, Dims{1, 1, 3}, Dims{2, 1, 1}}) {
    expect_fused(text, {{"x", ramp({5, 4}, -1, 0.1F)}, {"r", ramp(dims, 0, 1)}}, {{"Product", 1}});
  }
}

TEST(Fusion, LeavesAProductThatIsReadTwiceOrWanted) {
  expect_fused(R"(g (float[n,2] x) => (float[n,2] y, float[n,2] p)
      <float[2,2] w = {1,2,3,4}, float[2] b = {1,2}> { p = MatMul(x, w)  y = Add(p, b) })",
               {{"x", ramp({3, 2}, -1, 0.1F)}}, {{"Product", 1}, {"Add", 1}});
}

TEST(Fusion, ReadsGemm) {
  expect_fused(R"(g (float[n,4] x) => (float[n,3] y)
      <float[3,4] w = {1,2,3,4,5,6,7,8,9,1,2,3}, float[3] b = {0.5,-1,2}> {
        p = Gemm<transB=1>(x, w, b)  y = Tanh(p) })",
               {{"x", ramp({5, 4}, -0.1F, 0.01F)}}, {{"Product", 1}});
}

TEST(Fusion, FoldsQuantizedWeightsOnce) {
  expect_fused(R"(g (float[n,2] x) => (float[n,3] y)
      <int8[2,3] q = {1,-2,3,127,-128,0}, float[3] s = {0.5,0.25,0.125}> {
        w = DequantizeLinear<axis=1>(q, s)  y = MatMul(x, w) })",
               {{"x", ramp({5, 2}, -1, 0.1F)}}, {{"Product", 1}});
}

TEST(Fusion, ReadsDynamicallyQuantizedProducts) {
  expect_fused(R"(g (float[n,4] x) => (float[n,3] y, float[n,2] z)
      <int8[4,3] q = {1,-2,3,127,-128,0,5,6,7,8,9,-9}, float[3] s = {0.5,0.25,0.125},
       int8[4,2] r = {-128,127,-128,127,1,2,3,4}, float[1] t = {0.01}, float[3] b = {1,2,3}> {
        c, xs, xz = DynamicQuantizeLinear(x)
        i = MatMulInteger(c, q, xz)  f = Cast<to=1>(i)  m = Mul(xs, s)  p = Mul(f, m)
        y = Add(p, b)
        j = MatMulInteger(c, r, xz)  h = Cast<to=1>(j)  k = Mul(h, xs)  z = Mul(k, t) })",
               {{"x", ramp({5, 4}, -1, 0.1F)}},
               {{"DynamicQuantizeLinear", 1}, {"IntegerProduct", 2}});
}

TEST(Fusion, GathersRowsOfQuantizedTables) {
  expect_fused(R"(g (int64[a,b] i) => (float[a,b,2] y, float[a,b,2] z)
      <int8[3,2] q = {1,-2,3,127,-128,0}, float[3] s = {0.5,0.25,0.125}, int64[1] last = {-1}> {
        t = DequantizeLinear<axis=0>(q, s)  y = Gather(t, i)
        c = Gather(q, i)  f = Cast<to=1>(c)  g = Gather(s, i)  u = Unsqueeze(g, last)
        z = Mul(f, u) })",
               {{"i", ints({2, 2}, {0, 2, -1, 1})}}, {{"GatherDequantized", 2}}, 0);
}

TEST(Fusion, FindsANormWithItsResidual) {
  expect_fused(R"(g (float[n,m,4] x, float[n,m,4] r) => (float[n,m,4] y)
      <float[4] g = {1,2,3,4}, float[4] b = {4,3,2,1}, float two = {2}, float e = {0.00001}> {
        v = Add(x, r)  mean = ReduceMean<axes=[-1]>(v)  d = Sub(v, mean)  q = Pow(d, two)
        var = ReduceMean<axes=[-1]>(q)  ve = Add(var, e)  sd = Sqrt(ve)  n = Div(d, sd)
        o = Mul(n, g)  y = Add(o, b) })",
               {{"x", ramp({2, 3, 4}, -1, 0.3F)}, {"r", ramp({2, 3, 4}, 2, -0.4F)}}, {{"Norm", 1}});
}

TEST(Fusion, FindsAttentionBetweenTransposes) {
  const std::string text = R"(g (float[n,s,2,4] q, float[n,k,2,4] t, float[n,k,2,4] v,
                                float[n,1,1,k] m) => (float[n,s,2,4] y) <float c = {0.5}> {
        a = Transpose<perm=[0,2,1,3]>(q)  b = Transpose<perm=[0,2,3,1]>(t)  p = MatMul(a, b)
        s0 = Mul(p, c)  s1 = Add(s0, m)  w = Softmax<axis=-1>(s1)
        d = Transpose<perm=[0,2,1,3]>(v)  o = MatMul(w, d)  y = Transpose<perm=[0,2,1,3]>(o) })";
  const auto inputs = [](std::int64_t queries, std::int64_t keys) {
    return TensorMap{{"q", ramp({2, queries, 2, 4}, -1, 0.1F)},
                     {"t", ramp({2, keys, 2, 4}, 1, -0.1F)},
                     {"v", ramp({2, keys, 2, 4}, -2, 0.2F)},
                     {"m", ramp({2, 1, 1, keys}, -3, 0.1F)}};
  };
  expect_fused(text, inputs(3, 5), {{"Attention", 1}});
  expect_fused(text, inputs(17, 33), {{"Attention", 1}});
}

TEST(Fusion, LeavesScoresThatAreWanted) {
  expect_fused(R"(g (float[n,h,s,4] q, float[n,h,k,4] t, float[n,h,k,4] v)
      => (float[n,h,s,4] y, float[n,h,s,k] w) {
        b = Transpose<perm=[0,1,3,2]>(t)  p = MatMul(q, b)  w = Softmax<axis=-1>(p)
        y = MatMul(w, v) })",
               {{"q", ramp({2, 2, 3, 4}, -1, 0.1F)},
                {"t", ramp({2, 2, 5, 4}, 1, -0.1F)},
                {"v", ramp({2, 2, 5, 4}, -2, 0.2F)}},
               {{"MatMul", 2}, {"Softmax", 1}, {"Transpose", 1}});
}

}  // namespace
}  // namespace onnxpress::test
