// SPDX-License-Identifier: Apache-2.0
#include "calib/observers/gram_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "onnxpress/error.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kSize = 37, kRows = 90;

std::vector<float> rows_of(std::int64_t rows) {
  std::mt19937_64 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(rows * kSize));
  for (float& value : x) value = normal(random);
  return x;
}

TEST(GramSums, IsTheGramOfAllRows) {
  ThreadPool pool(2);
  const std::vector<float> x = rows_of(kRows);
  GramSums sums(kSize);
  Gram scratch;
  sums.add(x.data(), 40, scratch, pool);
  sums.add(x.data() + 40 * kSize, kRows - 40, scratch, pool);
  const Gram gram = sums.gram();
  EXPECT_EQ(gram.rows, kRows);
  for (std::int64_t i = 0; i < kSize; ++i) {
    double sum = 0;
    for (std::int64_t r = 0; r < kRows; ++r) sum += x[static_cast<std::size_t>(r * kSize + i)];
    EXPECT_NEAR(gram.sum[static_cast<std::size_t>(i)], sum, 1e-9);
    for (std::int64_t j = 0; j < kSize; ++j) {
      double product = 0;
      for (std::int64_t r = 0; r < kRows; ++r) {
        product += static_cast<double>(x[static_cast<std::size_t>(r * kSize + i)]) *
                   x[static_cast<std::size_t>(r * kSize + j)];
      }
      ASSERT_NEAR(gram.at(i, j), product, 1e-4) << i << " " << j;
      ASSERT_EQ(gram.at(i, j), gram.at(j, i));
    }
  }
}

TEST(GramSums, PartsAddUpToTheBitsOfTheWhole) {
  ThreadPool one(1), two(2);
  const std::vector<float> x = rows_of(kRows);
  Gram scratch;
  GramSums whole(kSize), left(kSize), right(kSize);
  for (std::int64_t at = 0; at < kRows; at += 30) {
    whole.add(x.data() + at * kSize, 30, scratch, one);
    (at < 60 ? left : right).add(x.data() + at * kSize, 30, scratch, two);
  }
  right += left;
  EXPECT_EQ(whole, right);
}

TEST(GramSums, RoundsToFloats) {
  ThreadPool pool(1);
  const std::vector<float> x = rows_of(kRows);
  Gram scratch;
  GramSums sums(kSize);
  sums.add(x.data(), kRows, scratch, pool);
  const Gram exact = sums.gram();
  sums.round();
  const Gram rounded = sums.gram();
  for (std::size_t i = 0; i < exact.xx.size(); ++i) {
    EXPECT_EQ(rounded.xx[i], static_cast<float>(exact.xx[i]));
  }
  EXPECT_THROW(sums.add(x.data(), 1, scratch, pool), Error);
  EXPECT_THROW(sums += sums, Error);
}

}  // namespace
}  // namespace onnxpress
