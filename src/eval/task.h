// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/batching.h"
#include "eval/metrics.h"
#include "exec/session.h"

namespace onnxpress {

// An integer input that is looked up in a constant table: token ids, token types, positions.
struct LookedUpInput {
  std::string input;
  std::int64_t rows = 0;  // of the table: ids must be below this
};

// Found by data flow: the input reaches the indices of a Gather along axis 0 of a constant, at most
// through Cast and shape operators.
[[nodiscard]] std::vector<LookedUpInput> looked_up_inputs(const Graph& graph);

// The input that holds the token ids: the one with the largest table; nothing without a table.
[[nodiscard]] std::optional<LookedUpInput> token_input(const Graph& graph);

// What one output of a model is, judged by the first batch that ran.
enum class OutputKind {
  values,          // no more than an array of numbers
  class_logits,    // [batch, classes]
  token_logits,    // [batch, sequence, vocabulary]
  token_vectors,   // [batch, sequence, anything else]: compared where there is no padding
  single_numbers,  // [batch] or [batch, 1]
};

struct OutputRole {
  std::string name;
  OutputKind kind = OutputKind::values;
};

// One entry an output, in the order of `order`. `vocabulary`: rows of the token table, if known.
[[nodiscard]] std::vector<OutputRole> judge_outputs(const TensorMap& outputs,
                                                    const std::vector<PortInfo>& order,
                                                    const Batch& batch,
                                                    std::optional<std::int64_t> vocabulary);

// What can be measured: token logits make a language model; class logits and labels a classifier;
// single numbers and labels a regression. `output` is the one it is measured on.
struct TaskChoice {
  Task task = Task::none;
  std::string output;
};
[[nodiscard]] TaskChoice choose_task(const std::vector<OutputRole>& roles, bool has_labels);

}  // namespace onnxpress
