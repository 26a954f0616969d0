// SPDX-License-Identifier: Apache-2.0
#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "eval/statistics.h"

namespace onnxpress {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct ClassCounts {
  double hits = 0, predicted = 0, expected = 0;
};

std::map<std::int64_t, ClassCounts> count_classes(std::span<const std::int64_t> predicted,
                                                  std::span<const double> expected) {
  std::map<std::int64_t, ClassCounts> counts;
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    const auto label = static_cast<std::int64_t>(expected[i]);
    ++counts[predicted[i]].predicted;
    ++counts[label].expected;
    if (predicted[i] == label) ++counts[label].hits;
  }
  return counts;
}

double f1_of(const ClassCounts& c) {
  return c.predicted + c.expected == 0 ? 0 : 2 * c.hits / (c.predicted + c.expected);
}

std::vector<double> ranks(std::span<const double> x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  std::vector<double> result(x.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) {
      result[order[i]] = static_cast<double>(begin + end - 1) / 2;
    }
    begin = end;
  }
  return result;
}

double sum(std::span<const double> x) {
  return std::accumulate(x.begin(), x.end(), 0.0);
}

double perplexity(const Answers& a) {
  return std::exp(sum(a.losses) / sum(a.targets));
}

constexpr MetricRow kTable[] = {
    {"accuracy", Task::classification, "share", true,
     [](const Answers& a, std::span<const double> labels) { return accuracy(a.classes, labels); }},
    {"f1", Task::classification, "share", true,
     [](const Answers& a, std::span<const double> labels) { return f1(a.classes, labels); }},
    {"matthews", Task::classification, "", true,
     [](const Answers& a, std::span<const double> labels) { return matthews(a.classes, labels); }},
    {"pearson", Task::regression, "", true,
     [](const Answers& a, std::span<const double> labels) { return pearson(a.values, labels); }},
    {"spearman", Task::regression, "", true,
     [](const Answers& a, std::span<const double> labels) { return spearman(a.values, labels); }},
    {"perplexity", Task::language_model, "", false,
     [](const Answers& a, std::span<const double>) { return perplexity(a); }},
    {"token_accuracy", Task::language_model, "share", true,
     [](const Answers& a, std::span<const double>) {
       return sum(a.correct_tokens) / sum(a.targets);
     }},
};

// Per sample: how much a metric that is a mean over samples lost.
std::vector<double> lost_hits(const Answers& before, const Answers& after,
                              std::span<const double> labels) {
  std::vector<double> lost(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::int64_t>(labels[i]);
    lost[i] = (before.classes[i] == label ? 1.0 : 0.0) - (after.classes[i] == label ? 1.0 : 0.0);
  }
  return lost;
}

double perplexity_of_draw(const Answers& a, std::span<const std::uint32_t> times) {
  double loss = 0;
  double tokens = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (times[i] == 0) continue;
    loss += times[i] * a.losses[i];
    tokens += times[i] * a.targets[i];
  }
  return std::exp(loss / tokens);
}

}  // namespace

std::string_view name(Task task) {
  switch (task) {
    case Task::classification:
      return "classification";
    case Task::regression:
      return "regression";
    case Task::language_model:
      return "language_model";
    case Task::none:
      return "";
  }
  return "";
}

std::span<const MetricRow> metric_table() {
  return kTable;
}

double accuracy(std::span<const std::int64_t> predicted, std::span<const double> expected) {
  if (predicted.empty()) return kNan;
  double hits = 0;
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    if (predicted[i] == static_cast<std::int64_t>(expected[i])) ++hits;
  }
  return hits / static_cast<double>(predicted.size());
}

double f1(std::span<const std::int64_t> predicted, std::span<const double> expected) {
  if (predicted.empty()) return kNan;
  const auto counts = count_classes(predicted, expected);
  const bool binary =
      std::ranges::all_of(counts, [](const auto& c) { return c.first >= 0 && c.first <= 1; });
  if (binary) return counts.contains(1) ? f1_of(counts.at(1)) : 0;
  double total = 0;
  for (const auto& [label, c] : counts) total += f1_of(c);
  return total / static_cast<double>(counts.size());
}

double matthews(std::span<const std::int64_t> predicted, std::span<const double> expected) {
  if (predicted.empty()) return kNan;
  const double n = static_cast<double>(predicted.size());
  double hits = 0;
  double cross = 0;
  double predicted_squares = 0;
  double expected_squares = 0;
  for (const auto& [label, c] : count_classes(predicted, expected)) {
    hits += c.hits;
    cross += c.predicted * c.expected;
    predicted_squares += c.predicted * c.predicted;
    expected_squares += c.expected * c.expected;
  }
  const double scale = std::sqrt((n * n - predicted_squares) * (n * n - expected_squares));
  return scale == 0 ? 0 : (hits * n - cross) / scale;
}

double pearson(std::span<const double> x, std::span<const double> y) {
  if (x.empty()) return kNan;
  const double mean_x = mean(x);
  const double mean_y = mean(y);
  double xy = 0;
  double xx = 0;
  double yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  return xx == 0 || yy == 0 ? kNan : xy / std::sqrt(xx * yy);
}

double spearman(std::span<const double> x, std::span<const double> y) {
  return pearson(ranks(x), ranks(y));
}

std::vector<Metric> measure(Task task, const Answers& answers, std::span<const double> labels,
                            std::uint64_t seed) {
  std::vector<Metric> metrics;
  for (const MetricRow& row : kTable) {
    if (row.task != task) continue;
    Metric metric{
        std::string(row.name), row.compute(answers, labels), {}, 0, std::string(row.unit)};
    metric.n = task == Task::language_model ? static_cast<std::int64_t>(sum(answers.targets))
                                            : static_cast<std::int64_t>(labels.size());
    if (row.name == "accuracy") {
      metric.interval =
          wilson_interval(std::llround(metric.value * static_cast<double>(metric.n)), metric.n);
    } else if (row.name == "perplexity") {
      metric.interval = bootstrap_interval(
          answers.losses.size(), seed,
          [&](std::span<const std::uint32_t> times) { return perplexity_of_draw(answers, times); });
    } else if (row.name == "token_accuracy") {
      metric.interval = bootstrap_ratio(answers.correct_tokens, answers.targets, seed);
    }
    metrics.push_back(std::move(metric));
  }
  return metrics;
}

std::vector<Metric> measure_change(Task task, const Answers& before, const Answers& after,
                                   std::span<const double> labels, std::uint64_t seed) {
  std::vector<Metric> changes;
  if (task == Task::classification) {
    const std::vector<double> lost = lost_hits(before, after, labels);
    const std::vector<double> ones(lost.size(), 1.0);
    changes.push_back({"accuracy_drop", mean(lost), bootstrap_ratio(lost, ones, seed),
                       static_cast<std::int64_t>(lost.size()), "share"});
  } else if (task == Task::language_model) {
    changes.push_back({"perplexity_increase", perplexity(after) - perplexity(before),
                       bootstrap_interval(before.losses.size(), seed,
                                          [&](std::span<const std::uint32_t> times) {
                                            return perplexity_of_draw(after, times) -
                                                   perplexity_of_draw(before, times);
                                          }),
                       static_cast<std::int64_t>(sum(before.targets)), ""});
  } else if (task == Task::regression) {
    changes.push_back({"pearson_drop",
                       pearson(before.values, labels) - pearson(after.values, labels),
                       {},
                       static_cast<std::int64_t>(labels.size()),
                       ""});
  }
  return changes;
}

}  // namespace onnxpress
