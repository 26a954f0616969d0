// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "api/request.h"
#include "base/error_codes.h"
#include "onnxpress/compress.h"

namespace onnxpress {
namespace api {

std::vector<Gate> read_gates(const std::vector<std::string>& expressions, bool has_data,
                             bool measures_latency) {
  std::vector<Gate> gates;
  for (const std::string& expression : expressions) {
    Gate gate = parse_gate(expression);
    const GateNeeds needs = gate.metric->needs;
    const bool from_data = needs == GateNeeds::data || needs == GateNeeds::labels;
    if ((from_data && !has_data) || (needs == GateNeeds::timing && !measures_latency)) {
      throw Error(codes::missing_data,
                  fmt::format("gate \"{}\" needs {}, which is not going to be measured",
                              gate.expression, gate.metric->name),
                  from_data ? "add --data (or --eval-data) with samples to measure it on"
                            : "add --latency");
    }
    gates.push_back(std::move(gate));
  }
  return gates;
}

bool judge_gates(const std::vector<Gate>& gates, Document& document) {
  bool failed = false;
  for (const Gate& gate : gates) {
    document.gates.push_back(judge(gate, document));
    failed = failed || document.gates.back().failed;
  }
  if (failed) document.exit_code = 1;
  return failed;
}

bool needs_timing(const std::vector<Gate>& gates) {
  return std::ranges::any_of(
      gates, [](const Gate& gate) { return gate.metric->needs == GateNeeds::timing; });
}

}  // namespace api

void check_gates(const std::vector<std::string>& fail_if, bool has_data, bool measures_latency) {
  (void)api::read_gates(fail_if, has_data, measures_latency);
}

std::vector<std::string> gate_metric_names() {
  std::vector<std::string> names;
  for (const GateMetric& metric : gate_metrics()) names.emplace_back(metric.name);
  return names;
}

}  // namespace onnxpress
