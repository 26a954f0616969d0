// SPDX-License-Identifier: Apache-2.0
#include "eval/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace onnxpress {
namespace {

using Classes = std::vector<std::int64_t>;
using Numbers = std::vector<double>;

const Metric& named(const std::vector<Metric>& metrics, std::string_view name) {
  return *std::ranges::find(metrics, name, &Metric::name);
}

TEST(Accuracy, CountsHits) {
  EXPECT_DOUBLE_EQ(accuracy(Classes{0, 1, 1, 2}, Numbers{0, 1, 0, 2}), 0.75);
  EXPECT_DOUBLE_EQ(accuracy(Classes{-1, -1}, Numbers{0, 1}), 0);  // NaN logits never hit
  EXPECT_TRUE(std::isnan(accuracy({}, {})));
}

TEST(F1, OfTwoClassesIsThePositiveClasss) {
  // 2 true positives, 1 false positive, 1 false negative: 2·2 / (2·2 + 1 + 1)
  EXPECT_DOUBLE_EQ(f1(Classes{1, 1, 1, 0, 0}, Numbers{1, 1, 0, 1, 0}), 4.0 / 6);
  EXPECT_DOUBLE_EQ(f1(Classes{0, 0}, Numbers{0, 0}), 0);
}

TEST(F1, OfMoreClassesIsTheMean) {
  // class 0: 2/3 (hits 1, predicted 1, expected 2), class 1: 2/3, class 2: 1
  EXPECT_NEAR(f1(Classes{0, 1, 1, 2}, Numbers{0, 0, 1, 2}), (2.0 / 3 + 2.0 / 3 + 1) / 3, 1e-15);
}

TEST(Matthews, OfTwoClassesIsTheClassicFormula) {
  // tp 2, tn 1, fp 1, fn 1: (2·1 - 1·1) / sqrt(3·3·2·2)
  EXPECT_NEAR(matthews(Classes{1, 1, 0, 1, 0}, Numbers{1, 1, 0, 0, 1}), 1.0 / 6, 1e-15);
  EXPECT_DOUBLE_EQ(matthews(Classes{1, 0, 1}, Numbers{1, 0, 1}), 1);
  EXPECT_DOUBLE_EQ(matthews(Classes{0, 1}, Numbers{1, 0}), -1);
  EXPECT_DOUBLE_EQ(matthews(Classes{1, 1}, Numbers{1, 0}), 0);  // 0/0 by the formula
}

TEST(Matthews, OfThreeClassesAgreesWithScikitLearn) {
  // sklearn.metrics.matthews_corrcoef([0, 1, 2, 2, 1, 0, 2], [0, 2, 2, 2, 1, 0, 1])
  EXPECT_NEAR(matthews(Classes{0, 2, 2, 2, 1, 0, 1}, Numbers{0, 1, 2, 2, 1, 0, 2}),
              (5.0 * 7 - 17) / (49 - 17), 1e-15);
}

TEST(Pearson, OfALineIsOne) {
  EXPECT_NEAR(pearson(Numbers{1, 2, 3}, Numbers{10, 20, 30}), 1, 1e-15);
  EXPECT_NEAR(pearson(Numbers{1, 2, 3}, Numbers{3, 2, 1}), -1, 1e-15);
  EXPECT_NEAR(pearson(Numbers{1, 2, 3, 4}, Numbers{1, 3, 2, 5}), 0.8315218406202999, 1e-12);
  EXPECT_TRUE(std::isnan(pearson(Numbers{1, 1}, Numbers{1, 2})));
}

TEST(Spearman, LooksAtRanksAndSharesThemAmongTies) {
  EXPECT_NEAR(spearman(Numbers{1, 10, 100}, Numbers{2, 3, 900}), 1, 1e-15);
  // ranks 1.5 1.5 3 4 against 1 2 3 4
  EXPECT_NEAR(spearman(Numbers{5, 5, 6, 7}, Numbers{1, 2, 3, 4}), 4.5 / std::sqrt(4.5 * 5), 1e-12);
}

TEST(Measure, ClassificationHasShareWithWilsonInterval) {
  Answers answers;
  answers.classes = {0, 1, 1, 0};
  const auto metrics = measure(Task::classification, answers, Numbers{0, 1, 0, 0}, 1);
  const Metric& metric = named(metrics, "accuracy");
  EXPECT_DOUBLE_EQ(metric.value, 0.75);
  EXPECT_EQ(metric.n, 4);
  EXPECT_EQ(metric.unit, "share");
  EXPECT_NEAR(metric.interval->low, 0.300642, 1e-6);
  EXPECT_NEAR(metric.interval->high, 0.954413, 1e-6);
  EXPECT_EQ(metrics.size(), 3U);
}

TEST(Measure, PerplexityWeighsTokensNotSamples) {
  Answers answers;
  answers.losses = {2.0, 9.0};
  answers.targets = {1, 10};
  answers.correct_tokens = {1, 3};
  const auto metrics = measure(Task::language_model, answers, {}, 1);
  EXPECT_DOUBLE_EQ(named(metrics, "perplexity").value, std::exp(1.0));
  EXPECT_EQ(named(metrics, "perplexity").n, 11);
  EXPECT_DOUBLE_EQ(named(metrics, "token_accuracy").value, 4.0 / 11);
  EXPECT_LE(named(metrics, "perplexity").interval->low, std::exp(1.0));
  EXPECT_GE(named(metrics, "perplexity").interval->high, std::exp(1.0));
}

TEST(MeasureChange, DropIsPositiveWhenWorseAndPaired) {
  Answers before;
  Answers after;
  Numbers labels;
  for (int i = 0; i < 200;
       ++i) {  // both wrong on half of the samples: pairing keeps that noise out
    labels.push_back(0);
    before.classes.push_back(i % 2);
    after.classes.push_back(i == 0 ? 1 : i % 2);
  }
  const auto changes = measure_change(Task::classification, before, after, labels, 1);
  const Metric& drop = named(changes, "accuracy_drop");
  EXPECT_DOUBLE_EQ(drop.value, 1.0 / 200);
  EXPECT_GE(drop.interval->low, 0);
  EXPECT_LE(drop.interval->high, 0.02);  // unpaired it would be ± 0.1
}

TEST(MeasureChange, PerplexityIncrease) {
  Answers before;
  before.losses = {1, 1};
  before.targets = {1, 1};
  Answers after = before;
  after.losses = {2, 2};
  const auto changes = measure_change(Task::language_model, before, after, {}, 1);
  EXPECT_DOUBLE_EQ(named(changes, "perplexity_increase").value, std::exp(2.0) - std::exp(1.0));
}

TEST(MetricTable, NamesAreUnique) {
  std::vector<std::string_view> names;
  for (const MetricRow& row : metric_table()) names.push_back(row.name);
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

}  // namespace
}  // namespace onnxpress
