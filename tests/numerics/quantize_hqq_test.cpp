// SPDX-License-Identifier: Apache-2.0
#include "numerics/quantize_hqq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "correlated.h"
#include "numerics/quantize_rtn.h"
#include "onnxpress/error.h"

namespace onnxpress {
namespace {

using test::gaussian;

Grid rtn_grid(Grid grid) {
  grid.float_zeros = false;
  return grid;
}

// Σ|w-q|ᵖ of each group and output, the plain way.
std::vector<double> errors(const Matrix& w, const QuantizedMatrix& quantized, double p) {
  const Matrix q = dequantized_matrix(quantized);
  const std::int64_t group = quantized.grid.group == 0 ? w.rows : quantized.grid.group;
  std::vector<double> sums(quantized.scales.size());
  for (std::int64_t i = 0; i < w.rows; ++i) {
    for (std::int64_t o = 0; o < w.columns; ++o) {
      sums[static_cast<std::size_t>(i / group * w.columns + o)] +=
          std::pow(std::fabs(static_cast<double>(w(i, o)) - static_cast<double>(q(i, o))), p);
    }
  }
  return sums;
}

double total(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

// Cubes of normal numbers: a few are far larger than the rest.
Matrix heavy_tailed(std::int64_t rows, std::int64_t columns) {
  Matrix w = gaussian(rows, columns, 21);
  for (float& value : w.values) value = value * value * value;
  return w;
}

TEST(QuantizeHqq, NoGroupIsWorseThanRoundedToNearestInTheNormThatItLowers) {
  ThreadPool pool(2);
  const Matrix w = heavy_tailed(100, 19);
  for (int bits = 2; bits <= 8; ++bits) {
    for (const std::int64_t group : {0, 16, 32}) {
      for (const bool float_zeros : {false, true}) {
        for (const double p : {0.7, 1.0, 2.0}) {
          const Grid grid{bits, group, false, float_zeros};
          const auto before = errors(w, quantize_rtn(weight_ref(w), rtn_grid(grid), pool), p);
          const auto after = errors(w, quantize_hqq(w, grid, {.p = p}, pool), p);
          for (std::size_t i = 0; i < before.size(); ++i) {
            ASSERT_LE(after[i], before[i] * (1 + 1e-6)) << to_string(grid) << " p " << p;
          }
        }
      }
    }
  }
}

TEST(QuantizeHqq, LowersTheErrorOfHeavyTailedWeights) {
  ThreadPool pool(2);
  const Matrix w = heavy_tailed(256, 64);
  const Grid grid{4, 32, false, true};
  const QuantizedMatrix rtn = quantize_rtn(weight_ref(w), rtn_grid(grid), pool);
  for (const double p : {0.7, 2.0}) {
    const double before = total(errors(w, rtn, p));
    const double share = p == 2 ? 0.95 : 0.99;
    EXPECT_LT(total(errors(w, quantize_hqq(w, grid, {.p = p}, pool), p)), share * before) << p;
  }
}

TEST(QuantizeHqq, FloatZeroPointsKeepTheMeanOfEachGroup) {
  ThreadPool pool(2);
  const Matrix w = gaussian(64, 8, 3);
  const auto mean_error = [&](const QuantizedMatrix& quantized) {
    const Matrix q = dequantized_matrix(quantized);
    double most = 0;
    for (std::int64_t first : {0, 32}) {
      for (std::int64_t o = 0; o < w.columns; ++o) {
        double sum = 0;
        for (std::int64_t i = first; i < first + 32; ++i) sum += w(i, o) - q(i, o);
        most = std::max(most, std::fabs(sum / 32));
      }
    }
    return most;
  };
  EXPECT_LT(mean_error(quantize_hqq(w, {4, 32, false, true}, {}, pool)),
            0.3 * mean_error(quantize_rtn(weight_ref(w), {4, 32, false}, pool)));
}

TEST(QuantizeHqq, GroupsOfZerosAndOfOneNumberAreExact) {
  ThreadPool pool(1);
  Matrix w(64, 3);
  for (std::int64_t i = 0; i < 64; ++i) {
    w(i, 1) = 0.37F;
    w(i, 2) = -1e-3F;
  }
  for (const bool float_zeros : {false, true}) {
    const QuantizedMatrix q = quantize_hqq(w, {4, 32, false, float_zeros}, {}, pool);
    const Matrix back = dequantized_matrix(q);
    for (std::size_t i = 0; i < w.values.size(); ++i) {
      EXPECT_NEAR(back.values[i], w.values[i], 1e-7);
    }
    EXPECT_EQ(q.scales[0], 1);
    EXPECT_EQ(q.zero_points.size(), float_zeros ? 0U : q.scales.size());
    EXPECT_EQ(q.float_zeros.size(), float_zeros ? q.scales.size() : 0U);
  }
}

TEST(QuantizeHqq, TakesASingleColumnAndALastGroupThatIsNotFull) {
  ThreadPool pool(2);
  const Matrix w = gaussian(37, 1, 4);
  const QuantizedMatrix q = quantize_hqq(w, {4, 32, false, true}, {}, pool);
  EXPECT_EQ(q.scales.size(), 2U);
  EXPECT_LT(test::relative_distance(w, dequantized_matrix(q)), 0.1);
}

TEST(QuantizeHqq, StaysFiniteForHugeAndTinyWeights) {
  ThreadPool pool(1);
  for (const float size : {3e38F, 1e30F, 1e-38F, 1e-44F}) {
    Matrix w = gaussian(32, 4, 6);
    for (float& value : w.values) value = std::clamp(value, -1.0F, 1.0F) * size;
    const Matrix q = dequantized_matrix(quantize_hqq(w, {4, 32, false, true}, {}, pool));
    for (const float value : q.values) ASSERT_TRUE(std::isfinite(value)) << size;
  }
}

TEST(QuantizeHqq, GivesTheSameForAnyNumberOfThreads) {
  const Matrix w = heavy_tailed(96, 70);
  ThreadPool one(1);
  ThreadPool three(3);
  const Grid grid{4, 32, false, true};
  EXPECT_EQ(quantize_hqq(w, grid, {}, one), quantize_hqq(w, grid, {}, three));
}

TEST(QuantizeHqq, RefusesGridsWithoutZeroPointsAndWeightsThatAreNotFinite) {
  ThreadPool pool(1);
  Matrix w = gaussian(32, 2, 7);
  EXPECT_THROW((void)quantize_hqq(w, {4, 32, true}, {}, pool), Error);
  EXPECT_THROW((void)quantize_hqq(w, {4, 32, false, true}, {.p = 1.5}, pool), Error);
  EXPECT_THROW((void)quantize_rtn(weight_ref(w), {4, 32, false, true}, pool), Error);
  w(3, 1) = std::numeric_limits<float>::infinity();
  EXPECT_THROW((void)quantize_hqq(w, {4, 32, false, true}, {}, pool), Error);
}

}  // namespace
}  // namespace onnxpress
