// SPDX-License-Identifier: Apache-2.0
#include "targets/saturation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kIn = 384;
constexpr std::int64_t kOut = 64;
constexpr std::int64_t kRows = 32;

// One sum as pmaddubsw and pmaddwd make it: pairs of products in 16 bits, which stop at their ends.
std::int32_t saturating_sum(const std::uint8_t* x, const std::int8_t* w, std::int64_t stride) {
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < kIn; i += 2) {
    const int pair = x[i] * w[i * stride] + x[i + 1] * w[(i + 1) * stride];
    sum += std::clamp(pair, INT16_MIN, INT16_MAX);
  }
  return sum;
}

template <class Code>
std::int32_t exact_sum(const std::uint8_t* x, const Code* w, std::int64_t stride) {
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < kIn; ++i) sum += x[i] * w[i * stride];
  return sum;
}

// A layer as trained ones are: weights normal, inputs around the middle of their range but for a
// few channels far out.
struct Layer {
  std::vector<float> weights;
  std::vector<std::uint8_t> x;

  Layer() : weights(kIn * kOut), x(kRows * kIn) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& w : weights) w = 0.04F * normal(random);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float wide = i % kIn % 16 == 0 ? 90.0F : 20.0F;
      x[i] = static_cast<std::uint8_t>(std::clamp(140 + wide * normal(random), 0.0F, 255.0F));
    }
  }

  [[nodiscard]] std::vector<std::int8_t> codes(int bits) const {
    ThreadPool pool(1);
    const Grid grid{bits, 0, true};
    const QuantizedMatrix q =
        quantize_rtn(weight_ref(weights, kIn, kOut, MatrixLayout::in_out), grid, pool);
    std::vector<std::int8_t> result;
    for (const int code : q.codes) result.push_back(static_cast<std::int8_t>(code - grid.offset()));
    return result;
  }

  // Sums that differ from the exact ones.
  [[nodiscard]] std::int64_t wrong(const std::vector<std::int8_t>& w) const {
    std::int64_t count = 0;
    for (std::int64_t r = 0; r < kRows; ++r) {
      for (std::int64_t o = 0; o < kOut; ++o) {
        const std::uint8_t* row = &x[static_cast<std::size_t>(r * kIn)];
        const std::int8_t* column = &w[static_cast<std::size_t>(o)];
        count += saturating_sum(row, column, kOut) != exact_sum(row, column, kOut) ? 1 : 0;
      }
    }
    return count;
  }
};

PairSums count(std::vector<std::int8_t> w) {
  return count_pair_sums(Tensor::of<std::int8_t>({kIn, kOut}, std::move(w)), false);
}

TEST(Saturation, FullRangeWeightsGiveWrongSumsAndSevenBitsDoNot) {
  const Layer layer;
  const auto eight = layer.codes(8);
  EXPECT_GT(layer.wrong(eight), kRows * kOut / 50);  // 94 of 2048
  EXPECT_GT(count(eight).can_saturate, 0);
  const auto seven = layer.codes(7);
  EXPECT_EQ(layer.wrong(seven), 0);
  EXPECT_EQ(count(seven).can_saturate, 0);
}

TEST(Saturation, UnsignedCodesAreExactWhereKernelsWidenFirst) {
  const Layer layer;
  const auto eight = layer.codes(8);
  std::vector<std::uint8_t> shifted;
  for (const int code : eight) shifted.push_back(static_cast<std::uint8_t>(code + 128));
  for (std::int64_t r = 0; r < kRows; ++r) {
    const std::uint8_t* row = &layer.x[static_cast<std::size_t>(r * kIn)];
    std::int32_t row_sum = 0;
    for (std::int64_t i = 0; i < kIn; ++i) row_sum += row[i];
    for (std::int64_t o = 0; o < kOut; ++o) {
      ASSERT_EQ(exact_sum(row, &shifted[static_cast<std::size_t>(o)], kOut) - 128 * row_sum,
                exact_sum(row, &eight[static_cast<std::size_t>(o)], kOut));
    }
  }
}

TEST(Saturation, TheCountIsThatOfPairsWhichSomeInputsSaturate) {
  for (int a = -128; a <= 127; a += 5) {
    for (int b = -128; b <= 127; b += 3) {
      bool saturates = false;
      for (const int x : {0, 255}) {
        for (const int y : {0, 255}) {
          const int sum = x * a + y * b;
          saturates |= sum > INT16_MAX || sum < INT16_MIN;
        }
      }
      const Tensor w = Tensor::of<std::int8_t>(
          {2, 1}, {static_cast<std::int8_t>(a), static_cast<std::int8_t>(b)});
      EXPECT_EQ(count_pair_sums(w, false).can_saturate, saturates ? 1 : 0) << a << ' ' << b;
      EXPECT_EQ(count_pair_sums(w.reshaped({1, 2}), true).can_saturate, saturates ? 1 : 0);
    }
  }
  EXPECT_EQ(count_pair_sums(Tensor::of<std::int8_t>({3, 2}, {64, 0, 64, 0, 127, 0}), false).pairs,
            4);
}

TEST(Saturation, NothingIsSaidOfOtherTensors) {
  EXPECT_EQ(count_pair_sums(Tensor::of<std::uint8_t>({1, 2}, {255, 255}), false).pairs, 0);
  EXPECT_EQ(count_pair_sums(Tensor::of<std::int8_t>({2}, {127, 127}), false).pairs, 0);
}

}  // namespace
}  // namespace onnxpress
