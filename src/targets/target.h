// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// A runtime that a model is meant for. What is known of each is in docs/targets.md, which
// tests/interop/targets_test.py checks against that runtime.
enum class Target {
  ort_cpu,       // ONNX Runtime 1.32 on a CPU with VNNI
  ort_cpu_avx2,  // the same on a CPU without: products of UINT8 and INT8 add in pairs of 16 bits
};
[[nodiscard]] std::string_view name(Target target);  // "ort-cpu", "ort-cpu-avx2"
[[nodiscard]] std::span<const std::string_view> target_names();
[[nodiscard]] std::optional<Target> parse_target(std::string_view text);

// What a target makes of a part of a model.
struct TargetFinding {
  bool refused = false;  // the model does not load or run there; otherwise it is slow or inexact
  std::string where;     // a unit's label or a node's name; "" for the whole model
  std::string message;
};

// All that stands against running the model there, refusals first, otherwise in the order of the
// graph.
[[nodiscard]] std::vector<TargetFinding> check_target(const Model& model, Target target);

}  // namespace onnxpress
