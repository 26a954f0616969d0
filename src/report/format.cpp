// SPDX-License-Identifier: Apache-2.0
#include "report/format.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "report/escape.h"

namespace onnxpress {
namespace {

// Three significant digits, or all digits before the point.
std::string three_digits(double value) {
  const double size = std::abs(value);
  if (size >= 100) return fmt::format("{:.0f}", value);
  return size >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

std::string unusual(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "infinite" : "-infinite";
}

}  // namespace

std::string format_bytes(std::int64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"KB", "MB", "GB", "TB"}) {
    if (value < 999.95) break;
    value /= 1000;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string format_milliseconds(double ms) {
  if (!std::isfinite(ms)) return unusual(ms);
  return ms >= 1000 ? three_digits(ms / 1000) + " s" : three_digits(ms) + " ms";
}

std::string format_percent(double share) {
  return std::isfinite(share) ? fmt::format("{:.2f} %", 100 * share) : unusual(share);
}

std::string format_points(double share) {
  return std::isfinite(share) ? fmt::format("{:+.2f} points", 100 * share) : unusual(share);
}

std::string format_count(std::int64_t count) {
  const std::string digits = fmt::format("{}", std::abs(count));
  std::string text = count < 0 ? "-" : "";
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string format_metric(const Metric& metric) {
  if (!std::isfinite(metric.value)) return unusual(metric.value);
  if (metric.unit == "share") return format_percent(metric.value);
  if (metric.unit == "ms") return format_milliseconds(metric.value);
  if (metric.unit == "bytes") return format_bytes(static_cast<std::int64_t>(metric.value));
  if (metric.unit == "x") return fmt::format("{:.2f}x", metric.value);
  if (metric.unit == "dB") return fmt::format("{:.1f} dB", metric.value);
  if (metric.unit == "nats") return fmt::format("{:.2g}", metric.value);
  return fmt::format("{:.5g}", metric.value);
}

std::string format_conditions(const Latency& latency) {
  std::string sizes = fmt::format("batch {}", latency.batch);
  if (latency.sequence > 0) sizes += fmt::format(" x {}", latency.sequence);
  return fmt::format("{}, {} thread{}, {}, {}", sizes, latency.threads,
                     latency.threads == 1 ? "" : "s", latency.instruction_set,
                     escape_terminal(latency.engine));
}

}  // namespace onnxpress
