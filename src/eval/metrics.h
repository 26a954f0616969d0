// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "onnxpress/document.h"

namespace onnxpress {

// What a model is asked to do, and so which metrics say how well it does it.
enum class Task { none, classification, regression, language_model };

[[nodiscard]] std::string_view name(Task task);  // "" for none

// What an evaluation keeps of a model's answers, one entry a sample (in the order of the data set).
struct Answers {
  std::vector<std::int64_t> classes;   // classification: the class with the largest logit; -1: NaN
  std::vector<double> values;          // regression: the number
  std::vector<double> losses;          // language model: sum of -log p(next token), in nats
  std::vector<double> targets;         // language model: number of next tokens
  std::vector<double> correct_tokens;  // language model: how many of them had the largest logit
};

// A row of the table of metrics. `compute` gets the answers and the samples' labels.
struct MetricRow {
  std::string_view name;
  Task task;
  std::string_view unit;
  bool larger_is_better;
  double (*compute)(const Answers& answers, std::span<const double> labels);
};

[[nodiscard]] std::span<const MetricRow> metric_table();

// Every metric of the task, with n, and with an interval for shares (Wilson) and for the
// perplexity (bootstrap over samples).
[[nodiscard]] std::vector<Metric> measure(Task task, const Answers& answers,
                                          std::span<const double> labels, std::uint64_t seed);

// What compression cost, in the direction in which more is worse, with paired bootstrap intervals:
// accuracy_drop (a share), perplexity_increase (absolute), pearson_drop.
[[nodiscard]] std::vector<Metric> measure_change(Task task, const Answers& before,
                                                 const Answers& after,
                                                 std::span<const double> labels,
                                                 std::uint64_t seed);

// The formulas, for their own sake. Empty inputs and zero variances give NaN.
[[nodiscard]] double accuracy(std::span<const std::int64_t> predicted,
                              std::span<const double> expected);
// Two classes: F1 of class 1 (as GLUE). More: the mean of the classes' F1.
[[nodiscard]] double f1(std::span<const std::int64_t> predicted, std::span<const double> expected);
// Matthews' correlation, for any number of classes (Gorodkin's R_K); 0 where a side is constant.
[[nodiscard]] double matthews(std::span<const std::int64_t> predicted,
                              std::span<const double> expected);
[[nodiscard]] double pearson(std::span<const double> x, std::span<const double> y);
// Pearson's correlation of ranks; ties get the mean of their ranks.
[[nodiscard]] double spearman(std::span<const double> x, std::span<const double> y);

}  // namespace onnxpress
