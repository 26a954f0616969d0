// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "onnxpress/document.h"

namespace onnxpress {

// What has to be measured before a gate can be judged.
enum class GateNeeds { nothing, data, labels, timing };

// What numbers may stand behind a metric in a gate.
enum class GateUnit {
  bytes,            // plain, KB, MB, GB, KiB, MiB, GiB; % of the original's size
  share,            // plain (0.88) or percentage points (88%)
  milliseconds,     // ms, us, s; % of the original's latency
  factor,           // plain or x
  number,           // plain
  relative_number,  // plain; % of the original's value
};

struct GateMetric {
  std::string_view name;
  GateUnit unit;
  GateNeeds needs;
  bool worst_is_largest;  // over several outputs
};

// Every metric a gate can name.
[[nodiscard]] std::span<const GateMetric> gate_metrics();

// A condition that must not come true: "accuracy_drop > 0.3%".
struct Gate {
  enum class Comparison { above, at_least, below, at_most };
  std::string expression;
  const GateMetric* metric = nullptr;
  Comparison comparison = Comparison::above;
  double threshold = 0;  // bytes, share, milliseconds, …; of the original's value if `relative`
  bool relative = false;
};

// Reads `METRIC OP NUMBER[UNIT]` with or without spaces. Throws Error: unknown_name for a metric
// that does not exist (with the nearest one), bad_option for anything else.
[[nodiscard]] Gate parse_gate(std::string_view text);

// Judges the gate on what a run measured: `document.models` (original first, result last),
// `changes` and `agreement`, of several outputs the worst. NaN fails. Throws Error (missing_data)
// if the metric was not measured.
[[nodiscard]] GateResult judge(const Gate& gate, const Document& document);

}  // namespace onnxpress
