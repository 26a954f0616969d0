// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "levels.h"

namespace onnxpress::exec::fast {
namespace {

class Functions : public test::EveryLevel {
 protected:
  template <class Exact>
  void near(const std::vector<float>& x, const std::vector<float>& y, double absolute,
            double relative, Exact exact) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = exact(static_cast<double>(x[i]));
      ASSERT_NEAR(y[i], expected, absolute + relative * std::abs(expected)) << "at " << x[i];
    }
  }
  std::vector<float> grid(float low, float high) {
    std::vector<float> x;
    for (int i = 0; i <= 20001; ++i)
      x.push_back(low + (high - low) * static_cast<float>(i) / 20001);
    return x;
  }
  std::vector<float> activated(Activation activation, const std::vector<float>& x) {
    std::vector<float> y(x.size());
    functions().activate(activation, x.data(), static_cast<std::int64_t>(x.size()), y.data());
    return y;
  }
};

INSTANTIATE_TEST_SUITE_P(, Functions, testing::ValuesIn(test::available_levels()),
                         test::level_name);

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

TEST_P(Functions, ExpIsAccurateToAFewUnits) {
  const auto x = grid(-87, 88.5F);
  std::vector<float> y(x.size());
  functions().exponential(x.data(), static_cast<std::int64_t>(x.size()), y.data());
  near(x, y, 0, 3e-7, [](double v) { return std::exp(v); });
}

TEST_P(Functions, ExpHasItsLimits) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{-kInfinity, -1000, 0, 90, kInfinity, NAN};
  std::vector<float> y(x.size());
  functions().exponential(x.data(), static_cast<std::int64_t>(x.size()), y.data());
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 0);
  EXPECT_EQ(y[2], 1);
  EXPECT_EQ(y[3], kInfinity);
  EXPECT_EQ(y[4], kInfinity);
  EXPECT_TRUE(std::isnan(y[5]));
}

TEST_P(Functions, ErfIsAccurate) {
  const auto x = grid(-6, 6);
  std::vector<float> y(x.size());
  functions().error_function(x.data(), static_cast<std::int64_t>(x.size()), y.data());
  near(x, y, 3e-7, 0, [](double v) { return std::erf(v); });
}

TEST_P(Functions, ActivationsAreAccurate) {
  const auto x = grid(-12, 12);
  near(x, activated(Activation::gelu, x), 1e-6, 2e-7,
       [](double v) { return v / 2 * (1 + std::erf(v / std::sqrt(2.0))); });
  near(x, activated(Activation::gelu_tanh, x), 3e-7, 1e-6, [](double v) {
    return v / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
  });
  near(x, activated(Activation::silu, x), 1e-7, 1e-6, [](double v) { return v * sigmoid(v); });
  near(x, activated(Activation::tanh, x), 0, 5e-7, [](double v) { return std::tanh(v); });
  near(x, activated(Activation::sigmoid, x), 0, 5e-7, sigmoid);
  near(x, activated(Activation::relu, x), 0, 0, [](double v) { return v > 0 ? v : 0; });
  EXPECT_EQ(activated(Activation::none, x), x);
}

TEST_P(Functions, WriteExactlyAsManyElementsAsAsked) {
  for (std::int64_t count = 0; count < 40; ++count) {
    const auto x = random(count + 1, -3, 3);
    std::vector<float> y(x.size(), 77);
    functions().activate(Activation::tanh, x.data(), count, y.data());
    for (std::int64_t i = 0; i < count; ++i) {
      EXPECT_NEAR(y[static_cast<std::size_t>(i)], std::tanh(x[static_cast<std::size_t>(i)]), 1e-6);
    }
    EXPECT_EQ(y.back(), 77);
  }
}

}  // namespace
}  // namespace onnxpress::exec::fast
