// SPDX-License-Identifier: Apache-2.0
#include "calib/exact_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "onnxpress/error.h"

namespace onnxpress {
namespace {

TEST(ExactSums, AreTheSameInAnyOrderAndCut) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  std::vector<double> terms(1000);
  for (double& term : terms)
    term = normal(random) * std::pow(10.0, static_cast<double>(random() % 14) - 7);
  ExactSums forwards(1), backwards(1), left(1), right(1);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    forwards.add(0, terms[i]);
    backwards.add(0, terms[terms.size() - 1 - i]);
    (i < 300 ? left : right).add(0, terms[i]);
  }
  EXPECT_EQ(forwards, backwards);
  right += left;
  EXPECT_EQ(forwards, right);
  // Plain summation depends on the order here, or the test says nothing.
  double up = 0, down = 0;
  for (const double term : terms) up += term;
  for (auto term = terms.rbegin(); term != terms.rend(); ++term) down += *term;
  EXPECT_NE(up, down);
  long double oracle = 0;
  for (const double term : terms) oracle += term;
  EXPECT_NEAR(forwards.at(0), static_cast<double>(oracle),
              1e-9 * std::fabs(static_cast<double>(oracle)));
}

TEST(ExactSums, HoldWhatADoubleHolds) {
  for (const double term : {1.0, -1.0, 0.1, -3.75, 1e19, -1e-15, 0.0, 6.02e13}) {
    ExactSums sums(2);
    sums.add(1, term);
    EXPECT_NEAR(sums.at(1), term, std::ldexp(1.0, -60)) << term;
    EXPECT_EQ(sums.at(0), 0);
  }
  ExactSums tiny(1);
  tiny.add(0, std::numeric_limits<double>::denorm_min());
  tiny.add(0, 1e-19);
  EXPECT_EQ(tiny.at(0), 0);  // cut to multiples of 2^-60
}

TEST(ExactSums, RefuseWhatIsTooLarge) {
  ExactSums sums(1);
  EXPECT_THROW(sums.add(0, 1e20), Error);
  EXPECT_THROW(sums.add(0, NAN), Error);
  EXPECT_THROW(sums.add(0, -INFINITY), Error);
  EXPECT_EQ(sums.at(0), 0);
  sums.add(0, 7e19);
  EXPECT_THROW(
      {
        sums.add(0, 7e19);
        sums.add(0, 7e19);
      },
      Error);
}

}  // namespace
}  // namespace onnxpress
