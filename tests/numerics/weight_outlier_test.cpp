// SPDX-License-Identifier: Apache-2.0
#include "numerics/weight_outlier.h"

#include <gtest/gtest.h>

#include "correlated.h"
#include "numerics/output_error.h"
#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

using test::gaussian;

TEST(WeightOutlier, IsFoundWithItsPlaceInEitherLayout) {
  ThreadPool pool(2);
  Matrix w = gaussian(70, 1300, 1);
  w(33, 1100) = -1e30F;
  w(0, 5) = 4000;
  const Matrix turned = transposed(w);
  for (const WeightRef& ref :
       {weight_ref(w), weight_ref(turned.values, 70, 1300, MatrixLayout::out_in)}) {
    const auto found = find_outliers(ref, kOutlierRatio, pool);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].output, 5);
    EXPECT_EQ(found[0].input, 0);
    EXPECT_EQ(found[1].output, 1100);
    EXPECT_EQ(found[1].input, 33);
    EXPECT_EQ(found[1].value, -1e30F);
    EXPECT_NEAR(found[1].rms, 1, 0.3);
  }
}

TEST(WeightOutlier, NothingIsOddAboutOrdinaryConstantOrSingleWeights) {
  ThreadPool pool(1);
  EXPECT_TRUE(find_outliers(weight_ref(gaussian(300, 200, 2)), kOutlierRatio, pool).empty());
  EXPECT_TRUE(find_outliers(weight_ref(gaussian(1, 20, 3)), kOutlierRatio, pool).empty());
  Matrix w(40, 3);
  for (float& value : w.values) value = 0.1F;
  for (std::int64_t i = 0; i < 40; ++i) w(i, 1) = 0;
  w(7, 1) = 5;  // alone: nothing is lost beside it
  EXPECT_TRUE(find_outliers(weight_ref(w), kOutlierRatio, pool).empty());
  EXPECT_TRUE(find_outliers(weight_ref(Matrix(0, 3)), kOutlierRatio, pool).empty());
}

TEST(WeightOutlier, MeansThatInt8LosesTheRestOfTheChannel) {
  ThreadPool pool(1);
  for (const float size : {100.0F, 1500.0F}) {
    Matrix w = gaussian(64, 1, 4);
    w(3, 0) = size;
    const Matrix q = dequantized_matrix(quantize_rtn(weight_ref(w), {}, pool));
    int zeros = 0;
    for (const float value : q.values) zeros += value == 0 ? 1 : 0;
    EXPECT_EQ(zeros > 60, !find_outliers(weight_ref(w), kOutlierRatio, pool).empty()) << size;
  }
}

TEST(WeightOutlier, CutsAllOfAChannelOneBehindTheOther) {
  ThreadPool pool(1);
  Matrix w = gaussian(64, 4, 5);
  const Matrix clean = w;
  w(3, 2) = 1e30F;
  w(4, 2) = -1e20F;
  w(5, 2) = 1e5F;
  cut_outliers(w, 10);
  EXPECT_TRUE(find_outliers(weight_ref(w), 12, pool).empty());
  EXPECT_GT(w(3, 2), 0);
  EXPECT_LT(w(4, 2), 0);
  for (std::int64_t i = 0; i < 64; ++i) {
    EXPECT_EQ(w(i, 1), clean(i, 1));
    if (i < 3 || i > 5) {
      EXPECT_EQ(w(i, 2), clean(i, 2));
    }
    EXPECT_LT(std::abs(w(i, 2)), 15);
  }
}

}  // namespace
}  // namespace onnxpress
