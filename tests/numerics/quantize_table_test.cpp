// SPDX-License-Identifier: Apache-2.0
#include "numerics/quantize_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/error_codes.h"
#include "base/half.h"
#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kRows = 150;
constexpr std::int64_t kWidth = 72;

// Heavy-tailed numbers around `mean`.
std::vector<float> table(float mean = 0) {
  std::mt19937 random(3);
  std::vector<float> values(kRows * kWidth);
  for (float& value : values) {
    const float x = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
    value = mean + 0.2F * x * x * x;
  }
  return values;
}

// Σ (w - q)², of each row without its mean if `centred`.
double error(const std::vector<float>& w, const QuantizedMatrix& q, bool centred = false) {
  const auto values = dequantize(q);
  double sum = 0;
  for (std::int64_t row = 0; row < q.out; ++row) {
    double errors = 0;
    double squares = 0;
    for (std::int64_t i = row * q.in; i < (row + 1) * q.in; ++i) {
      const double e = w[static_cast<std::size_t>(i)] - values[static_cast<std::size_t>(i)];
      errors += e;
      squares += e * e;
    }
    sum += squares - (centred ? errors * errors / static_cast<double>(q.in) : 0);
  }
  return sum;
}

WeightRef view(const std::vector<float>& values) {
  return weight_ref(values, kWidth, static_cast<std::int64_t>(values.size()) / kWidth,
                    MatrixLayout::out_in);
}

TEST(QuantizeTable, SearchedRangesLowerTheError) {
  ThreadPool pool(2);
  const auto w = table();
  for (const bool symmetric : {true, false}) {
    const Grid grid{4, 32, symmetric};
    const double plain = error(w, quantize_rtn(view(w), grid, pool));
    EXPECT_LT(error(w, quantize_table(view(w), {.grid = grid, .clip_steps = 40}, pool)),
              0.95 * plain);
  }
}

TEST(QuantizeTable, IsRoundToNearestWithoutOptions) {
  ThreadPool pool(2);
  const auto w = table();
  for (const Grid& grid : {Grid{8, 0, true}, Grid{4, 16, false}, Grid{4, 0, true}}) {
    EXPECT_EQ(quantize_table(view(w), {.grid = grid}, pool), quantize_rtn(view(w), grid, pool));
  }
}

TEST(QuantizeTable, HalfScalesCostNothing) {
  ThreadPool pool(2);
  const auto w = table();
  for (const bool symmetric : {true, false}) {
    TableOptions options{.grid = {4, 16, symmetric}, .clip_steps = 40};
    const double full = error(w, quantize_table(view(w), options, pool));
    options.half_scales = true;
    const QuantizedMatrix q = quantize_table(view(w), options, pool);
    EXPECT_NEAR(error(w, q), full, 0.005 * full);
    for (const float scale : q.scales) {
      EXPECT_EQ(half_to_float(float_to_half(scale)), scale);
      EXPECT_GE(std::abs(scale), 0x1p-14F);
    }
  }
}

TEST(QuantizeTable, MeansAreLeftOutWhereThatHelps) {
  ThreadPool pool(2);
  // Rows far from zero: around their means much smaller numbers are left.
  const auto w = table(1.5F);
  for (const bool symmetric : {true, false}) {
    TableOptions options{.grid = {4, 32, symmetric}, .clip_steps = 40};
    const double with_means = error(w, quantize_table(view(w), options, pool), true);
    options.ignores_mean = true;
    EXPECT_LT(error(w, quantize_table(view(w), options, pool), true), 0.1 * with_means);
  }
  const auto centred = table(0);
  TableOptions options{.grid = {4, 32, true}};
  const double before = error(centred, quantize_table(view(centred), options, pool), true);
  options.ignores_mean = true;
  EXPECT_LE(error(centred, quantize_table(view(centred), options, pool), true), before);
}

TEST(QuantizeTable, RowsOfZerosAndConstantsAndTinyNumbers) {
  ThreadPool pool(2);
  std::vector<float> w(4 * kWidth);
  for (std::int64_t i = 0; i < kWidth; ++i) {
    w[static_cast<std::size_t>(kWidth + i)] = 0.1F;
    w[static_cast<std::size_t>(2 * kWidth + i)] = 1e-42F;
    w[static_cast<std::size_t>(3 * kWidth + i)] = -7;
  }
  for (const bool half : {false, true}) {
    for (const bool symmetric : {true, false}) {
      const QuantizedMatrix q = quantize_table(
          view(w), {.grid = {4, 16, symmetric}, .clip_steps = 40, .half_scales = half}, pool);
      const auto values = dequantize(q);
      for (std::size_t i = 0; i < w.size(); ++i) {
        // At most half a step; steps of float16 stay above its smallest normal number.
        const float step = std::max(std::abs(w[i]) / 7, half ? 0x1p-14F : 0.0F);
        EXPECT_LE(std::abs(values[i] - w[i]), step * 0.5F + 1e-41F) << i;
        EXPECT_TRUE(std::isfinite(values[i]));
      }
      for (std::size_t i = 0; i < kWidth; ++i) EXPECT_EQ(values[i], 0);
    }
  }
}

TEST(QuantizeTable, OnlyTablesWithinItsRangeGetHalfScales) {
  const Grid grid{4, 32, true};
  auto w = table();
  EXPECT_TRUE(suits_half_scales(view(w), grid));
  for (const float size : {1e6F, 1e-3F}) {
    auto other = w;
    for (float& value : other) value *= size;
    EXPECT_FALSE(suits_half_scales(view(other), grid));
  }
  w[7] = std::numeric_limits<float>::quiet_NaN();
  ThreadPool pool(1);
  EXPECT_THROW((void)quantize_table(view(w), {.grid = grid}, pool), Error);
}

TEST(QuantizeTable, TheSameForAnyNumberOfThreads) {
  const auto w = table(0.1F);
  const TableOptions options{
      .grid = {4, 16, false}, .clip_steps = 40, .half_scales = true, .ignores_mean = true};
  ThreadPool one(1);
  ThreadPool three(3);
  EXPECT_EQ(quantize_table(view(w), options, one), quantize_table(view(w), options, three));
}

}  // namespace
}  // namespace onnxpress
