// SPDX-License-Identifier: Apache-2.0
#include "eval/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/error_codes.h"
#include "onnxpress/nearest.h"

namespace onnxpress {
namespace {

constexpr GateMetric kMetrics[] = {
    {"size", GateUnit::bytes, GateNeeds::nothing, true},
    {"ratio", GateUnit::factor, GateNeeds::nothing, false},
    {"peak_memory", GateUnit::bytes, GateNeeds::nothing, true},
    {"accuracy", GateUnit::share, GateNeeds::labels, false},
    {"accuracy_drop", GateUnit::share, GateNeeds::labels, true},
    {"f1", GateUnit::share, GateNeeds::labels, false},
    {"matthews", GateUnit::number, GateNeeds::labels, false},
    {"pearson", GateUnit::number, GateNeeds::labels, false},
    {"spearman", GateUnit::number, GateNeeds::labels, false},
    {"agreement", GateUnit::share, GateNeeds::data, false},
    {"kl_mean", GateUnit::number, GateNeeds::data, true},
    {"kl_p99", GateUnit::number, GateNeeds::data, true},
    {"kl_max", GateUnit::number, GateNeeds::data, true},
    {"cosine_min", GateUnit::number, GateNeeds::data, false},
    {"cosine_mean", GateUnit::number, GateNeeds::data, false},
    {"max_abs", GateUnit::number, GateNeeds::data, true},
    {"sqnr", GateUnit::number, GateNeeds::data, false},
    {"perplexity", GateUnit::relative_number, GateNeeds::data, true},
    {"perplexity_increase", GateUnit::relative_number, GateNeeds::data, true},
    {"latency_p50", GateUnit::milliseconds, GateNeeds::timing, true},
    {"latency_p95", GateUnit::milliseconds, GateNeeds::timing, true},
    {"speedup", GateUnit::factor, GateNeeds::timing, false},
};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Error unreadable(std::string_view text, std::string_view why) {
  return {codes::bad_option, fmt::format("gate \"{}\" can't be read: {}", text, why),
          "write it as METRIC OP NUMBER, for instance --fail-if 'accuracy_drop > 0.3%'"};
}

const GateMetric& find_metric(std::string_view name) {
  const auto found = std::ranges::find(kMetrics, name, &GateMetric::name);
  if (found != std::end(kMetrics)) return *found;
  std::vector<std::string> names;
  for (const GateMetric& metric : kMetrics) names.emplace_back(metric.name);
  throw Error(codes::unknown_name, fmt::format("there is no metric \"{}\" for a gate", name),
              did_you_mean(name, names));
}

struct Suffix {
  std::string_view text;
  double factor;
};

// What a number in this unit is multiplied with to become bytes, a share, milliseconds, …
std::optional<double> factor_of(GateUnit unit, std::string_view suffix) {
  static constexpr std::array<Suffix, 9> kBytes = {{{"", 1},
                                                    {"B", 1},
                                                    {"KB", 1e3},
                                                    {"kB", 1e3},
                                                    {"MB", 1e6},
                                                    {"GB", 1e9},
                                                    {"KiB", 1024},
                                                    {"MiB", 1048576},
                                                    {"GiB", 1073741824}}};
  static constexpr std::array<Suffix, 2> kShare = {{{"", 1}, {"%", 0.01}}};
  static constexpr std::array<Suffix, 4> kTime = {{{"", 1}, {"ms", 1}, {"s", 1000}, {"us", 0.001}}};
  static constexpr std::array<Suffix, 2> kFactor = {{{"", 1}, {"x", 1}}};
  static constexpr std::array<Suffix, 1> kNumber = {{{"", 1}}};
  const auto look_up = [&](std::span<const Suffix> table) -> std::optional<double> {
    const auto found = std::ranges::find(table, suffix, &Suffix::text);
    if (found == table.end()) return {};
    return found->factor;
  };
  switch (unit) {
    case GateUnit::bytes:
      return look_up(kBytes);
    case GateUnit::share:
      return look_up(kShare);
    case GateUnit::milliseconds:
      return look_up(kTime);
    case GateUnit::factor:
      return look_up(kFactor);
    case GateUnit::number:
    case GateUnit::relative_number:
      return look_up(kNumber);
  }
  return {};
}

bool may_be_relative(const GateMetric& metric) {
  return metric.unit == GateUnit::bytes || metric.unit == GateUnit::milliseconds ||
         metric.unit == GateUnit::relative_number;
}

std::optional<double> find_value(const std::vector<Metric>& metrics, std::string_view name) {
  const auto found = std::ranges::find(metrics, name, &Metric::name);
  if (found == metrics.end()) return {};
  return found->value;
}

std::optional<double> value_of(const ModelFigures& model, std::string_view name) {
  if (name == "size") return static_cast<double>(model.bytes);
  if (name == "peak_memory" && model.peak_memory_bytes) {
    return static_cast<double>(*model.peak_memory_bytes);
  }
  if (name == "latency_p50" && model.latency) return model.latency->p50_ms;
  if (name == "latency_p95" && model.latency) return model.latency->p95_ms;
  return find_value(model.metrics, name);
}

// The worst over the outputs, NaN being worse than anything.
std::optional<double> worst(const std::vector<OutputAgreement>& outputs, const GateMetric& metric) {
  std::optional<double> result;
  for (const OutputAgreement& output : outputs) {
    const std::optional<double> value = find_value(output.metrics, metric.name);
    if (!value) continue;
    if (std::isnan(*value)) return value;
    if (!result) result = value;
    result = metric.worst_is_largest ? std::max(*result, *value) : std::min(*result, *value);
  }
  return result;
}

std::optional<double> measured(const GateMetric& metric, const Document& document) {
  if (const auto change = find_value(document.changes, metric.name)) return change;
  if (const auto agreement = worst(document.agreement, metric)) return agreement;
  if (document.models.empty()) return {};
  if (const auto value = value_of(document.models.back(), metric.name)) return value;
  if (metric.name == "peak_memory" && document.peak_memory_bytes) {
    return static_cast<double>(*document.peak_memory_bytes);
  }
  return {};
}

}  // namespace

std::span<const GateMetric> gate_metrics() {
  return kMetrics;
}

Gate parse_gate(std::string_view text) {
  Gate gate;
  gate.expression = trimmed(text);
  const std::string_view all = gate.expression;
  const auto op = all.find_first_of("<>=!");
  if (op == std::string_view::npos) throw unreadable(text, "there is no < or >");
  gate.metric = &find_metric(trimmed(all.substr(0, op)));
  const bool or_equal = op + 1 < all.size() && all[op + 1] == '=';
  if (all[op] == '>') {
    gate.comparison = or_equal ? Gate::Comparison::at_least : Gate::Comparison::above;
  } else if (all[op] == '<') {
    gate.comparison = or_equal ? Gate::Comparison::at_most : Gate::Comparison::below;
  } else {
    throw unreadable(text, "only <, <=, > and >= can be used");
  }
  const std::string_view number = trimmed(all.substr(op + (or_equal ? 2 : 1)));
  const char* const end = number.data() + number.size();
  const auto [rest, error] = std::from_chars(number.data(), end, gate.threshold);
  if (error != std::errc() || !std::isfinite(gate.threshold)) {
    throw unreadable(text, "a number is missing behind the comparison");
  }
  const std::string_view suffix = trimmed({rest, static_cast<std::size_t>(end - rest)});
  if (suffix == "%" && may_be_relative(*gate.metric)) {
    gate.relative = true;
    gate.threshold *= 0.01;
    return gate;
  }
  const std::optional<double> factor = factor_of(gate.metric->unit, suffix);
  if (!factor) {
    throw unreadable(text, fmt::format("\"{}\" is no unit of {}", suffix, gate.metric->name));
  }
  gate.threshold *= *factor;
  return gate;
}

GateResult judge(const Gate& gate, const Document& document) {
  const std::optional<double> value = measured(*gate.metric, document);
  if (!value) {
    throw Error(codes::missing_data,
                fmt::format("gate \"{}\" needs {}, which was not measured", gate.expression,
                            gate.metric->name),
                "give data (and labels) that it can be measured on, or leave the gate out");
  }
  GateResult result{gate.expression, std::string(gate.metric->name), *value, gate.threshold, false};
  if (gate.relative) {
    // An increase is measured against the value it increases.
    const std::string_view base =
        gate.metric->name == "perplexity_increase" ? "perplexity" : gate.metric->name;
    const std::optional<double> original =
        document.models.size() > 1 ? value_of(document.models.front(), base) : std::nullopt;
    if (!original) {
      throw Error(codes::missing_data,
                  fmt::format("gate \"{}\" is relative, but there is no original to compare with",
                              gate.expression),
                  "give an absolute threshold");
    }
    result.threshold = gate.threshold * *original;
  }
  switch (gate.comparison) {
    case Gate::Comparison::above:
      result.failed = *value > result.threshold;
      break;
    case Gate::Comparison::at_least:
      result.failed = *value >= result.threshold;
      break;
    case Gate::Comparison::below:
      result.failed = *value < result.threshold;
      break;
    case Gate::Comparison::at_most:
      result.failed = *value <= result.threshold;
      break;
  }
  if (std::isnan(*value) || std::isnan(result.threshold)) result.failed = true;
  return result;
}

}  // namespace onnxpress
