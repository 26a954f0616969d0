// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <numeric>

#include "exec/run.h"
#include "onnxpress/error.h"

namespace onnxpress::test {
namespace {

Tensor counting(Dims dims) {
  std::vector<float> all(static_cast<std::size_t>(*element_count(dims)));
  std::iota(all.begin(), all.end(), 0.0F);
  return floats(std::move(dims), all);
}

Dims reshaped(const Tensor& x, const std::vector<std::int64_t>& to, bool allowzero = false) {
  const std::string attribute = allowzero ? "<allowzero = 1>" : "";
  return run("g (float[a,b] x, int64[n] s) => (float[c,d] y) { y = Reshape" + attribute +
                 "(x, s) }",
             {{"x", x}, {"s", ints({static_cast<std::int64_t>(to.size())}, to)}})
      .dims();
}

TEST(Reshape, FillsInZeroAndMinusOne) {
  EXPECT_EQ(reshaped(counting({2, 6}), {0, 2, -1}), (Dims{2, 2, 3}));
  EXPECT_EQ(reshaped(counting({0, 6}), {-1, 6}), (Dims{0, 6}));
  EXPECT_EQ(reshaped(counting({0, 6}), {3, 0}, true), (Dims{3, 0}));
  EXPECT_THROW(reshaped(counting({2, 6}), {5, -1}), Error);
  EXPECT_THROW(reshaped(counting({2, 6}), {-1, -1}), Error);
  EXPECT_THROW(reshaped(counting({2, 6}), {1LL << 40, 1LL << 40}), Error);
}

TEST(Squeeze, TakesAxesAsAttributeOrInput) {
  EXPECT_EQ(run(R"(<ir_version: 7, opset_import: ["" : 11]>
                g (float[1,2,1] x) => (float[2,1] y) { y = Squeeze<axes = [0]>(x) })",
                {{"x", counting({1, 2, 1})}})
                .dims(),
            (Dims{2, 1}));
  EXPECT_EQ(run(R"(<ir_version: 7, opset_import: ["" : 13]>
                g (float[1,2,1] x) => (float[1,2] y) <int64[1] a = {-1}> { y = Squeeze(x, a) })",
                {{"x", counting({1, 2, 1})}})
                .dims(),
            (Dims{1, 2}));
  EXPECT_EQ(run(R"(<ir_version: 7, opset_import: ["" : 11]>
                g (float[2] x) => (float[1,2,1] y) { y = Unsqueeze<axes = [0, -1]>(x) })",
                {{"x", counting({2})}})
                .dims(),
            (Dims{1, 2, 1}));
}

TEST(Transpose, MovesElementsAsIndexArithmeticDoes) {
  const Tensor x = counting({2, 3, 4, 5});
  const auto at = [](std::int64_t i, std::int64_t j, std::int64_t k, std::int64_t l) {
    return static_cast<float>(((i * 3 + j) * 4 + k) * 5 + l);
  };
  std::vector<float> expected;
  for (std::int64_t j = 0; j < 3; ++j) {
    for (std::int64_t l = 0; l < 5; ++l) {
      for (std::int64_t i = 0; i < 2; ++i) {
        for (std::int64_t k = 0; k < 4; ++k) expected.push_back(at(i, j, k, l));
      }
    }
  }
  EXPECT_EQ(run("g (float[2,3,4,5] x) => (float[3,5,2,4] y) { y = Transpose<perm=[1,3,0,2]>(x) }",
                {{"x", x}}),
            floats({3, 5, 2, 4}, expected));
}

Tensor sliced(const Tensor& x, std::int64_t from, std::int64_t to, std::int64_t step) {
  return run(
      R"(g (float[n] x, int64[1] s, int64[1] e, int64[1] t) => (float[m] y)
             <int64[1] a = {0}> { y = Slice(x, s, e, a, t) })",
      {{"x", x}, {"s", ints({1}, {from})}, {"e", ints({1}, {to})}, {"t", ints({1}, {step})}});
}

TEST(Slice, TakesAnyBoundsAndSteps) {
  const Tensor x = counting({6});
  EXPECT_EQ(sliced(x, 1, 4, 1), floats({3}, {1, 2, 3}));
  EXPECT_EQ(sliced(x, -3, INT64_MAX, 1), floats({3}, {3, 4, 5}));
  EXPECT_EQ(sliced(x, -1, INT64_MIN, -2), floats({3}, {5, 3, 1}));
  EXPECT_EQ(sliced(x, 4, 0, -3), floats({2}, {4, 1}));
  EXPECT_EQ(sliced(x, 4, 1, 1), floats({0}, {}));
  EXPECT_EQ(sliced(x, 100, -100, -5), floats({2}, {5, 0}));
  EXPECT_THROW(sliced(x, 0, 1, 0), Error);
}

TEST(Gather, CountsFromTheEndAndRefusesWhatIsOutside) {
  const auto gather = [](std::int64_t i) {
    return run("g (float[3,2] x, int64[1] i) => (float[1,2] y) { y = Gather(x, i) }",
               {{"x", counting({3, 2})}, {"i", ints({1}, {i})}});
  };
  EXPECT_EQ(gather(-1), floats({1, 2}, {4, 5}));
  EXPECT_EQ(gather(0), floats({1, 2}, {0, 1}));
  EXPECT_THROW(gather(3), Error);
  EXPECT_THROW(gather(-4), Error);
  EXPECT_THROW(gather(INT64_MIN), Error);
}

TEST(Split, DividesUnevenlyAndChecksTheSum) {
  const Model model = parse(R"(<ir_version: 8, opset_import: ["" : 18]>
    g (float[7] x) => (float[a] p, float[b] q, float[c] r) { p, q, r = Split<num_outputs = 3>(x) })");
  const auto out = Session(model).run({{"x", counting({7})}});
  EXPECT_EQ(out.at("p"), floats({3}, {0, 1, 2}));
  EXPECT_EQ(out.at("q"), floats({3}, {3, 4, 5}));
  EXPECT_EQ(out.at("r"), floats({1}, {6}));
  EXPECT_THROW(run(R"(g (float[7] x) => (float[a] p, float[b] q) <int64[2] s = {3, 3}> {
                   p, q = Split(x, s) })",
                   {{"x", counting({7})}}),
               Error);
}

}  // namespace
}  // namespace onnxpress::test
