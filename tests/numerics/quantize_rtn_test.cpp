// SPDX-License-Identifier: Apache-2.0
#include "numerics/quantize_rtn.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "base/half.h"
#include "onnxpress/error.h"

namespace onnxpress {
namespace {

std::vector<float> normal_weights(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.02F, 0.3F);
  std::vector<float> w(static_cast<std::size_t>(count));
  for (float& x : w) x = normal(random);
  return w;
}

struct Case {
  Grid grid;
  std::int64_t in;
  std::int64_t out;
  MatrixLayout layout;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (int bits = 2; bits <= 8; ++bits) {
    for (const bool symmetric : {true, false}) {
      for (const std::int64_t group : {0, 1, 16, 32}) {
        for (const MatrixLayout layout : {MatrixLayout::in_out, MatrixLayout::out_in}) {
          // Groups that do not divide the input, blocks that are not full, a single weight.
          cases.push_back({{bits, group, symmetric}, 71, 7, layout});
          cases.push_back({{bits, group, symmetric}, 5, 600, layout});
          cases.push_back({{bits, group, symmetric}, 1, 1, layout});
        }
      }
    }
  }
  return cases;
}

class QuantizeRtn : public testing::Test {
 protected:
  ThreadPool pool{2};
};

// Where one side has a code more than the other, the end of the shorter side is cut by up to a
// half.
TEST_F(QuantizeRtn, NoErrorIsAboveHalfAScale) {
  for (const Case& c : all_cases()) {
    const auto w = normal_weights(c.in * c.out, 1);
    const QuantizedMatrix q = quantize_rtn(weight_ref(w, c.in, c.out, c.layout), c.grid, pool);
    const auto back = dequantize(q);
    for (std::size_t i = 0; i < w.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const float scale = q.scales[q.scale_index(at / q.columns(), at % q.columns())];
      const float bound = c.grid.has_full_range() ? 1.0F : 0.5F;
      ASSERT_LE(std::abs(w[i] - back[i]), bound * std::abs(scale) * 1.0001F)
          << to_string(c.grid) << " at " << i;
    }
  }
}

TEST_F(QuantizeRtn, QuantizingItsOwnResultChangesNothing) {
  for (const Case& c : all_cases()) {
    if (!c.grid.symmetric) continue;  // an asymmetric range may shrink when both ends were rounded
    const auto w = normal_weights(c.in * c.out, 2);
    const QuantizedMatrix once = quantize_rtn(weight_ref(w, c.in, c.out, c.layout), c.grid, pool);
    const auto back = dequantize(once);
    const QuantizedMatrix twice =
        quantize_rtn(weight_ref(back, c.in, c.out, c.layout), c.grid, pool);
    ASSERT_EQ(twice.codes, once.codes) << to_string(c.grid);
  }
}

TEST_F(QuantizeRtn, IntegersThatReachTheLimitAreExact) {
  const std::vector<float> w{127, -127, 64, -1, 0, 3, -5, 126, 127, 127, 0, -127};
  const QuantizedMatrix q = quantize_rtn(weight_ref(w, 6, 2), {}, pool);
  EXPECT_EQ(q.scales, (std::vector<float>{1, 1}));
  EXPECT_EQ(dequantize(q), w);
}

TEST_F(QuantizeRtn, PerTensorAllColumnsHaveTheScaleOfTheLargestWeight) {
  for (const MatrixLayout layout : {MatrixLayout::in_out, MatrixLayout::out_in}) {
    for (const int bits : {4, 7, 8}) {
      auto w = normal_weights(300 * 40, 9);
      w[777] = -5;
      for (std::size_t i = 0; i < 300; ++i) w[i * 40 + 3] = 0;  // a column of zeros says nothing
      const Grid grid{.bits = bits, .per_tensor = true};
      const QuantizedMatrix q = quantize_rtn(weight_ref(w, 300, 40, layout), grid, pool);
      const float scale = 5.0F / static_cast<float>(grid.symmetric_limit());
      EXPECT_EQ(q.scales, std::vector<float>(40, scale));
      const auto back = dequantize(q);
      for (std::size_t i = 0; i < w.size(); ++i) {
        ASSERT_LE(std::abs(w[i] - back[i]), 0.5001F * scale) << bits << " bits at " << i;
      }
    }
  }
}

TEST_F(QuantizeRtn, PerTensorTakesNoGroupsNoZeroPointsAndNoNan) {
  auto w = normal_weights(64, 1);
  const auto quantize = [&](const Grid& grid) {
    return quantize_rtn(weight_ref(w, 32, 2), grid, pool);
  };
  EXPECT_THROW(quantize({.group = 16, .per_tensor = true}), Error);
  EXPECT_THROW(quantize({.symmetric = false, .per_tensor = true}), Error);
  w[33] = NAN;
  try {
    quantize({.per_tensor = true});
    FAIL() << "NaN was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("[16, 1]"), std::string::npos) << error.what();
  }
}

TEST_F(QuantizeRtn, TiesGoToEven) {
  const std::vector<float> w{127, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F};
  const QuantizedMatrix q = quantize_rtn(weight_ref(w, 7, 1), {}, pool);
  EXPECT_EQ(dequantize(q), (std::vector<float>{127, 0, 2, 2, 0, -2, -2}));
}

TEST_F(QuantizeRtn, SymmetricCodesOfOppositeWeightsAreOpposite) {
  auto w = normal_weights(64 * 8, 3);
  const QuantizedMatrix q = quantize_rtn(weight_ref(w, 64, 8), {}, pool);
  for (float& x : w) x = -x;
  const QuantizedMatrix n = quantize_rtn(weight_ref(w, 64, 8), {}, pool);
  EXPECT_EQ(n.scales, q.scales);
  for (std::size_t i = 0; i < w.size(); ++i) {
    ASSERT_EQ(n.codes[i], 256 - q.codes[i]);
    ASSERT_GE(q.codes[i], 1);  // -128 is never used
  }
}

TEST_F(QuantizeRtn, PermutingOutputsPermutesTheResult) {
  const std::int64_t in = 33;
  const std::int64_t out = 600;
  const auto w = normal_weights(in * out, 4);
  std::vector<std::int64_t> order(static_cast<std::size_t>(out));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  std::vector<float> permuted(w.size());
  for (std::int64_t i = 0; i < in; ++i) {
    for (std::int64_t o = 0; o < out; ++o) {
      permuted[static_cast<std::size_t>(i * out + o)] =
          w[static_cast<std::size_t>(i * out + order[static_cast<std::size_t>(o)])];
    }
  }
  const Grid grid{4, 16, false};
  const QuantizedMatrix q = quantize_rtn(weight_ref(w, in, out), grid, pool);
  const QuantizedMatrix p = quantize_rtn(weight_ref(permuted, in, out), grid, pool);
  for (std::int64_t i = 0; i < in; ++i) {
    for (std::int64_t o = 0; o < out; ++o) {
      ASSERT_EQ(p.codes[static_cast<std::size_t>(i * out + o)],
                q.codes[static_cast<std::size_t>(i * out + order[static_cast<std::size_t>(o)])]);
    }
  }
}

TEST_F(QuantizeRtn, BothLayoutsGiveTheSameNumbers) {
  const std::int64_t in = 70;
  const std::int64_t out = 9;
  const auto w = normal_weights(in * out, 6);
  std::vector<float> transposed(w.size());
  for (std::int64_t i = 0; i < in; ++i) {
    for (std::int64_t o = 0; o < out; ++o)
      transposed[static_cast<std::size_t>(o * in + i)] = w[static_cast<std::size_t>(i * out + o)];
  }
  for (const std::int64_t group : {0, 32}) {
    const Grid grid{8, group, true};
    const QuantizedMatrix a = quantize_rtn(weight_ref(w, in, out), grid, pool);
    const QuantizedMatrix b =
        quantize_rtn(weight_ref(transposed, in, out, MatrixLayout::out_in), grid, pool);
    for (std::int64_t i = 0; i < in; ++i) {
      for (std::int64_t o = 0; o < out; ++o) {
        ASSERT_EQ(a.codes[static_cast<std::size_t>(i * out + o)],
                  b.codes[static_cast<std::size_t>(o * in + i)]);
        ASSERT_EQ(a.scales[a.scale_index(i, o)], b.scales[b.scale_index(o, i)]);
      }
    }
  }
}

TEST_F(QuantizeRtn, ResultDoesNotDependOnThreads) {
  const auto w = normal_weights(300 * 1700, 7);
  ThreadPool one(1);
  ThreadPool three(3);
  for (const MatrixLayout layout : {MatrixLayout::in_out, MatrixLayout::out_in}) {
    EXPECT_EQ(quantize_rtn(weight_ref(w, 300, 1700, layout), {}, one),
              quantize_rtn(weight_ref(w, 300, 1700, layout), {}, three));
  }
}

TEST_F(QuantizeRtn, AChannelOfZerosHasScaleOneAndStaysZero) {
  const std::vector<float> w{0, 1, 0, -2, -0.0F, 3};
  for (const bool symmetric : {true, false}) {
    const QuantizedMatrix q = quantize_rtn(weight_ref(w, 3, 2), {8, 0, symmetric}, pool);
    EXPECT_EQ(q.scales[0], 1);
    EXPECT_EQ(dequantize(q)[0], 0);
    EXPECT_EQ(dequantize(q)[2], 0);
  }
}

TEST_F(QuantizeRtn, TinyAndHugeRangesHaveNormalFiniteScales) {
  for (const float size : {1e-42F, 1e-38F, 1e30F, std::numeric_limits<float>::max()}) {
    const std::vector<float> w{size, -size, 0.3F * size, 0};
    for (const bool symmetric : {true, false}) {
      if (!symmetric && size > 1e38F) continue;  // the range itself is not a float
      const QuantizedMatrix q = quantize_rtn(weight_ref(w, 4, 1), {8, 0, symmetric}, pool);
      EXPECT_TRUE(std::isnormal(q.scales[0])) << size;
      const auto back = dequantize(q);
      for (std::size_t i = 0; i < w.size(); ++i) {
        EXPECT_LE(std::abs(static_cast<double>(w[i]) - back[i]),
                  0.5001 * static_cast<double>(q.scales[0]));
      }
    }
  }
}

TEST_F(QuantizeRtn, RefusesNanAndInfinityAndSaysWhere) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    std::vector<float> w(1000 * 3, 1.0F);
    w[2 * 1000 + 7] = bad;
    for (const MatrixLayout layout : {MatrixLayout::in_out, MatrixLayout::out_in}) {
      const WeightRef ref =
          layout == MatrixLayout::in_out ? weight_ref(w, 3, 1000) : weight_ref(w, 1000, 3, layout);
      try {
        (void)quantize_rtn(ref, {}, pool);
        FAIL() << "accepted " << bad;
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("[2, 7]"), std::string::npos) << error.what();
      }
    }
  }
}

TEST_F(QuantizeRtn, TakesHalfPrecisionWeightsAsTheyAre) {
  const auto w = normal_weights(40 * 30, 8);
  std::vector<std::uint16_t> halves(w.size());
  std::vector<std::uint16_t> brains(w.size());
  std::vector<float> from_half(w.size());
  std::vector<float> from_brain(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    halves[i] = float_to_half(w[i]);
    from_half[i] = half_to_float(halves[i]);
    brains[i] = float_to_bfloat16(w[i]);
    from_brain[i] = bfloat16_to_float(brains[i]);
  }
  const auto* half_bytes = reinterpret_cast<const std::byte*>(halves.data());
  const auto* brain_bytes = reinterpret_cast<const std::byte*>(brains.data());
  EXPECT_EQ(quantize_rtn({half_bytes, FloatType::float16, 40, 30, MatrixLayout::in_out}, {}, pool),
            quantize_rtn(weight_ref(from_half, 40, 30), {}, pool));
  EXPECT_EQ(
      quantize_rtn({brain_bytes, FloatType::bfloat16, 40, 30, MatrixLayout::out_in}, {}, pool),
      quantize_rtn(weight_ref(from_brain, 40, 30, MatrixLayout::out_in), {}, pool));
}

TEST_F(QuantizeRtn, TakesEmptyMatricesAndRefusesBadGrids) {
  EXPECT_TRUE(quantize_rtn(weight_ref({}, 0, 3), {}, pool).codes.empty());
  EXPECT_TRUE(
      quantize_rtn(weight_ref({}, 3, 0, MatrixLayout::out_in), {8, 2, false}, pool).codes.empty());
  for (const Grid& grid : {Grid{1}, Grid{9}, Grid{-3}, Grid{8, -1}}) {
    EXPECT_THROW((void)quantize_rtn(weight_ref({}, 0, 3), grid, pool), Error);
  }
}

}  // namespace
}  // namespace onnxpress
