// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "exec/run.h"
#include "onnxpress/error.h"

namespace onnxpress::test {
namespace {

constexpr const char* kAdd = "g (float[a,b] x, float[c,d] y) => (float[e,f] z) { z = Add(x, y) }";

TEST(Arithmetic, BroadcastsInEveryDirection) {
  const Tensor row = floats({1, 3}, {1, 2, 3}), column = floats({2, 1}, {10, 20});
  const Tensor full = floats({2, 3}, {1, 2, 3, 4, 5, 6}), one = floats({1, 1}, {100});
  EXPECT_EQ(run(kAdd, {{"x", row}, {"y", column}}), floats({2, 3}, {11, 12, 13, 21, 22, 23}));
  EXPECT_EQ(run(kAdd, {{"x", column}, {"y", row}}), floats({2, 3}, {11, 12, 13, 21, 22, 23}));
  EXPECT_EQ(run(kAdd, {{"x", full}, {"y", row}}), floats({2, 3}, {2, 4, 6, 5, 7, 9}));
  EXPECT_EQ(run(kAdd, {{"x", one}, {"y", full}}), floats({2, 3}, {101, 102, 103, 104, 105, 106}));
  EXPECT_EQ(run(kAdd, {{"x", floats({0, 3}, {})}, {"y", row}}), floats({0, 3}, {}));
}

TEST(Arithmetic, BroadcastsAsAPlainLoopWouldForAllShapes) {
  // Every pair of shapes of rank 3 with sizes 1 and 2 or 3, against index arithmetic.
  for (int mask = 0; mask < 64; ++mask) {
    const std::int64_t sizes[] = {2, 3, 2};
    Dims a, b;
    for (int d = 0; d < 3; ++d) {
      a.push_back((mask >> d & 1) != 0 ? sizes[d] : 1);
      b.push_back((mask >> (d + 3) & 1) != 0 ? sizes[d] : 1);
    }
    std::vector<float> x(static_cast<std::size_t>(*element_count(a))),
        y(static_cast<std::size_t>(*element_count(b)));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(100 * (i + 1));
    Dims out;
    for (int d = 0; d < 3; ++d)
      out.push_back(std::max(a[static_cast<std::size_t>(d)], b[static_cast<std::size_t>(d)]));
    std::vector<float> expected;
    for (std::int64_t i = 0; i < out[0]; ++i) {
      for (std::int64_t j = 0; j < out[1]; ++j) {
        for (std::int64_t k = 0; k < out[2]; ++k) {
          const auto at = [&](const Dims& dims) {
            return static_cast<std::size_t>(((i % dims[0]) * dims[1] + j % dims[1]) * dims[2] +
                                            k % dims[2]);
          };
          expected.push_back(x[at(a)] - y[at(b)]);
        }
      }
    }
    EXPECT_EQ(run("g (float[a,b,c] x, float[d,e,f] y) => (float[h,i,j] z) { z = Sub(x, y) }",
                  {{"x", floats(a, x)}, {"y", floats(b, y)}}),
              floats(out, expected))
        << to_string(a) << to_string(b);
  }
}

TEST(Arithmetic, IntegersWrapAndDivideTowardZero) {
  const auto compute = [](const std::string& op, std::int32_t a, std::int32_t b) {
    return run("g (int32[n] x, int32[n] y) => (int32[n] z) { z = " + op + "(x, y) }",
               {{"x", Tensor::of<std::int32_t>({1}, {a})},
                {"y", Tensor::of<std::int32_t>({1}, {b})}})
        .as<std::int32_t>()[0];
  };
  constexpr auto kLow = std::numeric_limits<std::int32_t>::min();
  constexpr auto kHigh = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(compute("Add", kHigh, 1), kLow);
  EXPECT_EQ(compute("Mul", 65536, 65536), 0);
  EXPECT_EQ(compute("Div", -7, 2), -3);
  EXPECT_EQ(compute("Div", kLow, -1), kLow);
  EXPECT_EQ(compute("Mod", -7, 3), 2);
  EXPECT_EQ(compute("Mod<fmod = 1>", -7, 3), -1);
  EXPECT_EQ(compute("Mod", kLow, -1), 0);
  EXPECT_THROW(compute("Div", 1, 0), Error);
  EXPECT_THROW(compute("Mod", 1, 0), Error);
}

TEST(Arithmetic, SixteenBitFloatsRoundOnceFromFloat) {
  const auto bits = [](std::uint16_t b) { return Tensor::of<Half>({1}, {Half{b}}); };
  // 2048 + 1 lies between two halves and goes to the even one; 2048 + 3 goes up.
  EXPECT_EQ(run("g (float16[1] x, float16[1] y) => (float16[1] z) { z = Add(x, y) }",
                {{"x", bits(0x6800)}, {"y", bits(0x3C00)}}),
            bits(0x6800));
  EXPECT_EQ(run("g (float16[1] x, float16[1] y) => (float16[1] z) { z = Add(x, y) }",
                {{"x", bits(0x6800)}, {"y", bits(0x4200)}}),
            bits(0x6802));
}

TEST(Arithmetic, PowerTakesMixedTypes) {
  EXPECT_EQ(run("g (float[3] x, int64[1] y) => (float[3] z) { z = Pow(x, y) }",
                {{"x", floats({3}, {-2, 0, 3})}, {"y", ints({1}, {2})}}),
            floats({3}, {4, 0, 9}));
  EXPECT_EQ(run("g (int64[2] x, float[1] y) => (int64[2] z) { z = Pow(x, y) }",
                {{"x", ints({2}, {2, 3})}, {"y", floats({1}, {5})}}),
            ints({2}, {32, 243}));
  EXPECT_EQ(run("g (float[2] x, float[2] y) => (float[2] z) { z = Pow(x, y) }",
                {{"x", floats({2}, {4, 2})}, {"y", floats({2}, {0.5, -1})}}),
            floats({2}, {2, 0.5}));
}

TEST(Arithmetic, AnyNumberOfInputsAndNotANumberWins) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor result =
      run("g (float[2] a, float[1] b, float[2,1] c) => (float[2,2] z) { z = Max(a, b, c) }",
          {{"a", floats({2}, {1, nan})}, {"b", floats({1}, {2})}, {"c", floats({2, 1}, {0, 5})}});
  EXPECT_LE(max_difference(result, floats({2, 2}, {2, nan, 5, nan})), 0);
}

}  // namespace
}  // namespace onnxpress::test
