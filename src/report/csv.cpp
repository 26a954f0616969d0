// SPDX-License-Identifier: Apache-2.0
#include "report/csv.h"

#include <fmt/format.h>

#include "report/escape.h"

namespace onnxpress {
namespace {

std::string row(std::string_view model, const Metric& metric) {
  std::string low;
  std::string high;
  if (metric.interval) {
    low = fmt::format("{}", metric.interval->low);
    high = fmt::format("{}", metric.interval->high);
  }
  return fmt::format("{},{},{},{},{},{},{}\n", escape_csv(model), escape_csv(metric.name),
                     metric.value, low, high, metric.n, escape_csv(metric.unit));
}

}  // namespace

std::string to_csv(const Document& document) {
  std::string text = "model,metric,value,low,high,n,unit\n";
  for (const ModelFigures& model : document.models) {
    text += row(model.path, {"size", static_cast<double>(model.bytes), {}, 1, "bytes"});
    for (const Metric& metric : model.metrics) text += row(model.path, metric);
    if (model.latency) {
      const Latency& latency = *model.latency;
      text += row(model.path, {"latency_p50", latency.p50_ms, {}, latency.runs, "ms"});
      text += row(model.path, {"latency_p95", latency.p95_ms, {}, latency.runs, "ms"});
      text += row(model.path, {"latency_min", latency.min_ms, {}, latency.runs, "ms"});
    }
    if (model.peak_memory_bytes) {
      text += row(model.path,
                  {"peak_memory", static_cast<double>(*model.peak_memory_bytes), {}, 1, "bytes"});
    }
  }
  const std::string last = document.models.empty() ? "" : document.models.back().path;
  for (const Metric& metric : document.changes) text += row(last, metric);
  for (const OutputAgreement& output : document.agreement) {
    for (const Metric& metric : output.metrics) text += row(last + "#" + output.output, metric);
  }
  for (const ModelDescription& model : document.descriptions) {
    text += row(model.path, {"size", static_cast<double>(model.bytes), {}, 1, "bytes"});
    text += row(model.path, {"parameters", static_cast<double>(model.parameters), {}, 1, ""});
    for (const BytesByRole& role : model.bytes_by_role) {
      text +=
          row(model.path, {role.role, static_cast<double>(role.bytes), {}, role.tensors, "bytes"});
    }
  }
  return text;
}

}  // namespace onnxpress
