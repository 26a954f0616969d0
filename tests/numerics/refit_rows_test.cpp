// SPDX-License-Identifier: Apache-2.0
#include "numerics/refit_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "numerics/correlated.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kAll = 32;
constexpr std::int64_t kKept = 24;
constexpr std::int64_t kOut = 12;

// A product that lost its last inputs, on some rows.
struct Cut {
  Matrix inputs, lacking;
  RefitMoments moments;
};

Cut cut(std::int64_t rows, std::uint32_t seed, float mean, ThreadPool& pool) {
  Matrix x = test::activations(rows, kAll, seed);
  for (float& value : x.values) value += mean;
  const Matrix w = test::gaussian(kAll, kOut, 9, 0.2F);
  Cut result{Matrix(rows, kKept), Matrix(rows, kOut), RefitMoments(kKept, kOut)};
  for (std::int64_t r = 0; r < rows; ++r) {
    std::copy_n(x.row(r), kKept, result.inputs.row(r));
    for (std::int64_t j = 0; j < kOut; ++j) {
      double lost = 0;
      double whole = 0;
      for (std::int64_t i = 0; i < kAll; ++i) {
        const double part = static_cast<double>(x(r, i)) * w(i, j);
        whole += part;
        if (i >= kKept) lost += part;
      }
      result.lacking(r, j) = static_cast<float>(lost);
      result.moments.signal += whole * whole;
    }
  }
  add_rows(result.moments, result.inputs.values.data(), result.lacking.values.data(), rows, pool);
  return result;
}

// ‖D - X̃Δ - 1δᵀ‖ / ‖Y‖
double error_of(const Cut& cut, const RowsRefit& refit, ThreadPool& pool) {
  const Matrix moved = product(cut.inputs, refit.change, pool);
  double sum = 0;
  for (std::size_t i = 0; i < moved.values.size(); ++i) {
    const double bias = refit.bias_change.empty() ? 0 : refit.bias_change[i % kOut];
    const double left = static_cast<double>(cut.lacking.values[i]) - moved.values[i] - bias;
    sum += left * left;
  }
  return std::sqrt(sum / cut.moments.signal);
}

TEST(RefitRows, HalvesWhatACutLoses) {
  ThreadPool pool(2);
  for (const float mean : {0.0F, 0.5F}) {
    for (const bool centred : {false, true}) {
      const Cut train = cut(1500, 1, mean, pool);
      const Cut held_out = cut(500, 2, mean, pool);
      const RowsRefit refit = refit_rows(train.moments, held_out.moments, centred, pool);
      ASSERT_TRUE(refit.helps());
      EXPECT_EQ(refit.bias_change.empty(), !centred);
      EXPECT_LT(refit.error, 0.5 * refit.error_before);
      // What is said of held-out rows is what is seen there; solving on all rows changes little.
      EXPECT_NEAR(error_of(held_out, refit, pool), refit.error, 0.05 * refit.error);
      EXPECT_LT(error_of(train, refit, pool), refit.error_before);
    }
  }
}

TEST(RefitRows, ABiasTakesTheMean) {
  ThreadPool pool(2);
  const Cut train = cut(1500, 1, 0.5F, pool);
  const Cut held_out = cut(500, 2, 0.5F, pool);
  const double centred = refit_rows(train.moments, held_out.moments, true, pool).error;
  EXPECT_LE(centred, 1.001 * refit_rows(train.moments, held_out.moments, false, pool).error);
}

TEST(RefitRows, FewRowsWantAStrongerRidge) {
  ThreadPool pool(2);
  const Cut held_out = cut(500, 2, 0, pool);
  const Cut many = cut(4000, 1, 0, pool);
  const Cut few = cut(20, 3, 0, pool);
  const RowsRefit loose = refit_rows(many.moments, held_out.moments, true, pool);
  const RowsRefit tight = refit_rows(few.moments, held_out.moments, true, pool);
  EXPECT_GT(tight.strength, loose.strength);
  EXPECT_LT(tight.error, tight.error_before);
}

TEST(RefitRows, WhatHelpsNoHeldOutRowIsLeftOut) {
  ThreadPool pool(2);
  const Cut train = cut(200, 1, 0, pool);
  Cut other = cut(200, 2, 0, pool);
  // On the held-out rows the opposite is lacking.
  for (double& value : other.moments.pull) value = -value;
  for (double& value : other.moments.lacking_sum) value = -value;
  const RowsRefit refit = refit_rows(train.moments, other.moments, true, pool);
  EXPECT_FALSE(refit.helps());
  EXPECT_EQ(refit.error, refit.error_before);
  EXPECT_EQ(refit.strength, 0);
  EXPECT_FALSE(refit_rows(train.moments, RefitMoments(kKept, kOut), true, pool).helps());
}

TEST(RefitRows, TheNumberOfThreadsChangesNothing) {
  ThreadPool one(1);
  ThreadPool three(3);
  const RowsRefit a =
      refit_rows(cut(700, 1, 0, one).moments, cut(300, 2, 0, one).moments, true, one);
  const RowsRefit b =
      refit_rows(cut(700, 1, 0, three).moments, cut(300, 2, 0, three).moments, true, three);
  EXPECT_EQ(a.change, b.change);
  EXPECT_EQ(a.bias_change, b.bias_change);
}

}  // namespace
}  // namespace onnxpress
