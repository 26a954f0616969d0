// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "levels.h"

namespace onnxpress::exec::fast {
namespace {

class Rows : public test::EveryLevel {
 protected:
  void check_norm(std::int64_t width, bool rms, bool with_residual) {
    const std::int64_t rows = 3;
    const auto x = random(rows * width, -2, 5);
    const auto residual = random(rows * width);
    const auto gain = random(width);
    const auto shift = random(width);
    std::vector<float> y(x.size());
    NormRows p;
    p.x = x.data();
    p.residual = with_residual ? residual.data() : nullptr;
    p.gain = gain.data();
    p.shift = rms ? nullptr : shift.data();
    p.y = y.data();
    p.rows = rows;
    p.width = width;
    p.epsilon = 1e-5F;
    rms ? functions().rms_norm(p) : functions().layer_norm(p);
    for (std::int64_t r = 0; r < rows; ++r) {
      std::vector<double> v;
      for (std::int64_t i = 0; i < width; ++i) {
        const auto at = static_cast<std::size_t>(r * width + i);
        v.push_back(static_cast<double>(x[at]) +
                    (with_residual ? static_cast<double>(residual[at]) : 0.0));
      }
      double mean = 0, square = 0;
      if (!rms) {
        for (const double e : v) mean += e / static_cast<double>(width);
      }
      for (const double e : v) square += (e - mean) * (e - mean) / static_cast<double>(width);
      for (std::int64_t i = 0; i < width; ++i) {
        const auto column = static_cast<std::size_t>(i);
        double expected = (v[column] - mean) / std::sqrt(square + 1e-5) * gain[column];
        if (!rms) expected += shift[column];
        ASSERT_NEAR(y[static_cast<std::size_t>(r * width + i)], expected, 1e-5);
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(, Rows, testing::ValuesIn(test::available_levels()), test::level_name);

TEST_P(Rows, NormsEqualTheirDefinitions) {
  for (const std::int64_t width : {1, 3, 16, 33, 384}) {
    for (const bool rms : {false, true}) {
      for (const bool residual : {false, true}) check_norm(width, rms, residual);
    }
  }
}

TEST_P(Rows, SoftmaxEqualsItsDefinition) {
  for (const std::int64_t count : {1, 2, 15, 16, 17, 130}) {
    const auto x = random(count, -30, 30);
    const auto mask = random(count, -4, 0);
    std::vector<float> y(x.size() + 1, 77);
    functions().softmax(x.data(), mask.data(), 0.3F, count, y.data());
    double sum = 0;
    const auto score = [&](std::size_t i) {
      return static_cast<double>(x[i]) * 0.3F + static_cast<double>(mask[i]);
    };
    for (std::size_t i = 0; i < x.size(); ++i) sum += std::exp(score(i));
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(y[i], std::exp(score(i)) / sum, 1e-6);
    }
    EXPECT_EQ(y.back(), 77);
  }
}

TEST_P(Rows, SoftmaxTakesMaskedAndHugeScores) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{1000, -kInfinity, 1000, -3.4e38F};
  std::vector<float> y(4);
  functions().softmax(x.data(), nullptr, 1, 4, y.data());
  EXPECT_EQ(y, (std::vector<float>{0.5F, 0, 0.5F, 0}));
}

}  // namespace
}  // namespace onnxpress::exec::fast
