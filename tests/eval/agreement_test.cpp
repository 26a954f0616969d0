// SPDX-License-Identifier: Apache-2.0
#include "eval/agreement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace onnxpress {
namespace {

using Row = std::vector<float>;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

double value(const OutputAgreement& output, std::string_view name) {
  const auto found = std::ranges::find(output.metrics, name, &Metric::name);
  EXPECT_NE(found, output.metrics.end()) << name;
  return found == output.metrics.end() ? 0 : found->value;
}

TEST(KlDivergence, EqualsTheDefinition) {
  const Row p = {1.0F, 2.0F, 0.5F};
  const Row q = {0.0F, 2.5F, 0.25F};
  double sum_p = 0;
  double sum_q = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    sum_p += std::exp(double{p[i]});
    sum_q += std::exp(double{q[i]});
  }
  double expected = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double a = std::exp(double{p[i]}) / sum_p;
    expected += a * std::log(a / (std::exp(double{q[i]}) / sum_q));
  }
  EXPECT_NEAR(kl_divergence(p, q), expected, 1e-12);
}

TEST(KlDivergence, DoesNotSeeAConstantAddedToLogits) {
  EXPECT_NEAR(kl_divergence(Row{1, 2, 3}, Row{1001, 1002, 1003}), 0, 1e-9);
}

TEST(KlDivergence, TakesMaskedAndBrokenLogits) {
  EXPECT_NEAR(kl_divergence(Row{0, 0, -kInfinity}, Row{0, 0, -kInfinity}), 0, 1e-12);
  EXPECT_EQ(kl_divergence(Row{0, 0}, Row{0, -kInfinity}), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(kl_divergence(Row{0, kNan}, Row{0, 0})));
  EXPECT_TRUE(std::isnan(kl_divergence(Row{0, 0}, Row{kNan, 0})));
}

TEST(Top1, TakesTheFirstOfEqualsAndRefusesNaN) {
  EXPECT_EQ(top1(Row{1, 3, 3}), 1);
  EXPECT_EQ(top1(Row{1, kNan, 3}), -1);
  EXPECT_EQ(top1(Row{}), -1);
}

TEST(AgreementMeter, MeasuresEveryFigure) {
  AgreementMeter meter("logits", true);
  meter.add(Row{3, 4}, Row{3, 4}, 0);
  meter.add(Row{0, 1}, Row{1, 0}, 1);
  const OutputAgreement result = meter.result(1);
  EXPECT_EQ(result.output, "logits");
  EXPECT_EQ(result.rows, 2);
  EXPECT_DOUBLE_EQ(value(result, "agreement"), 0.5);
  const double kl = kl_divergence(Row{0, 1}, Row{1, 0});
  EXPECT_NEAR(value(result, "kl_mean"), kl / 2, 1e-15);
  EXPECT_NEAR(value(result, "kl_median"), kl / 2, 1e-15);
  EXPECT_NEAR(value(result, "kl_max"), kl, 1e-15);
  EXPECT_NEAR(value(result, "kl_p99"), 0.99 * kl, 1e-15);
  EXPECT_DOUBLE_EQ(value(result, "cosine_min"), 0);
  EXPECT_DOUBLE_EQ(value(result, "cosine_mean"), 0.5);
  EXPECT_DOUBLE_EQ(value(result, "max_abs"), 1);
  EXPECT_NEAR(value(result, "sqnr"), 10 * std::log10(26.0 / 2), 1e-12);
}

TEST(AgreementMeter, IdenticalOutputsHaveNoUndefinedFigure) {
  AgreementMeter meter("y", true);
  meter.add(Row{0, 0}, Row{0, 0}, 0);
  meter.add(Row{1, -kInfinity}, Row{1, -kInfinity}, 0);
  const OutputAgreement result = meter.result(1);
  EXPECT_EQ(value(result, "agreement"), 1);
  EXPECT_EQ(value(result, "kl_max"), 0);
  EXPECT_EQ(value(result, "cosine_min"), 1);
  EXPECT_EQ(value(result, "max_abs"), 0);
  EXPECT_EQ(value(result, "sqnr"), std::numeric_limits<double>::infinity());
}

TEST(AgreementMeter, NaNIsNeverHidden) {
  AgreementMeter meter("y", true);
  meter.add(Row{0, 1}, Row{0, kNan}, 0);
  meter.add(Row{0, 1}, Row{0, 1}, 1);
  const OutputAgreement result = meter.result(1);
  EXPECT_EQ(value(result, "agreement"), 0.5);
  for (const char* name : {"kl_mean", "kl_max", "cosine_min", "max_abs", "sqnr"}) {
    EXPECT_TRUE(std::isnan(value(result, name))) << name;
  }
}

TEST(AgreementMeter, LeavesTop1OutWhereRowsAreNoLogits) {
  AgreementMeter meter("hidden", false);
  meter.add(Row{1, 2}, Row{1, 2}, 0);
  const OutputAgreement result = meter.result(1);
  EXPECT_EQ(std::ranges::find(result.metrics, "agreement", &Metric::name), result.metrics.end());
  EXPECT_EQ(value(result, "cosine_min"), 1);
}

TEST(Floats, ConvertsHalfAndDouble) {
  const Tensor half = Tensor::of<Half>({2}, {Half{0x3C00}, Half{0xC000}});
  const Floats values(half);
  EXPECT_EQ(values.values()[0], 1.0F);
  EXPECT_EQ(values.values()[1], -2.0F);
}

}  // namespace
}  // namespace onnxpress
