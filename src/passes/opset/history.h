// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "passes/opset/node_upgrade.h"

// What happened to the operators of ai.onnx from opset 10 to opset 21.
namespace onnxpress {

inline constexpr std::int64_t kOldestRaisable = 9;  // opsets before it are not known here
inline constexpr std::int64_t kNewestRaised = 21;

using OpsetRule = void (*)(NodeUpgrade& up);

// One version of an operator.
struct OperatorChange {
  OperatorChange(std::int64_t since, std::string_view reason) : version(since), why(reason) {}
  OperatorChange(std::int64_t since, OpsetRule needed) : version(since), rule(needed) {}
  std::int64_t version;
  std::string_view why{};    // it reads what was written before as it was meant
  OpsetRule rule = nullptr;  // what has to be done, where it does not
};

struct OperatorHistory {
  std::string_view op_type;
  std::vector<OperatorChange> changes;  // in order
};

// Operators with a version in that range, in alphabetical order.
[[nodiscard]] std::span<const OperatorHistory> operator_histories();

// The first change of the operator after opset `version` and up to `target`; nullptr if none.
[[nodiscard]] const OperatorChange* next_change(std::string_view op_type, std::int64_t version,
                                                std::int64_t target);

// The opset in which the operator came, if it came after opset 9 (and before 22); else 0.
[[nodiscard]] std::int64_t introduced(std::string_view op_type);

}  // namespace onnxpress
