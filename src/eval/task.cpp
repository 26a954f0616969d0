// SPDX-License-Identifier: Apache-2.0
#include "eval/task.h"

#include <algorithm>
#include <array>
#include <set>

namespace onnxpress {
namespace {

// Operators that hand ids on without changing them.
bool passes_ids_on(const Node& node) {
  static constexpr std::array<std::string_view, 7> kOperators = {
      "Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Slice"};
  return node.domain.empty() && std::ranges::find(kOperators, node.op_type) != kOperators.end();
}

// Rows of a table that this use looks up, 0 if it is no look-up.
std::int64_t rows_looked_up(const Graph& graph, const Use& use) {
  const Node& node = graph.node(use.node);
  if (use.input != 1) return 0;
  if (node.domain == "com.microsoft" && node.op_type == "GatherBlockQuantized") {
    const Tensor* codes = graph.constant(node.input(0));
    const bool by_row = node.attributes.get_int("gather_axis", 0) == 0;
    return codes != nullptr && codes->rank() == 2 && by_row ? codes->dims()[0] : 0;
  }
  if (!node.is("Gather") || node.attributes.get_int("axis", 0) != 0) return 0;
  const ValueId source = node.input(0);
  if (const Tensor* table = graph.constant(source); table != nullptr && table->rank() == 2) {
    return table->dims()[0];
  }
  // A compressed table: stored in another type, or as the head's matrix.
  const Node* maker = graph.producer(source);
  if (maker == nullptr || !maker->domain.empty()) return 0;
  const Tensor* table = graph.constant(maker->input(0));
  if (table == nullptr || table->rank() != 2) return 0;
  if (maker->is("DequantizeLinear") || maker->is("Cast")) return table->dims()[0];
  return maker->is("Transpose") ? table->dims()[1] : 0;
}

}  // namespace

std::vector<LookedUpInput> looked_up_inputs(const Graph& graph) {
  std::vector<LookedUpInput> found;
  for (const ValueId input : graph.inputs()) {
    if (!is_integer(graph.value(input).dtype)) continue;
    std::int64_t rows = 0;
    std::vector<ValueId> open = {input};
    std::set<ValueId> seen = {input};
    while (!open.empty()) {
      const ValueId value = open.back();
      open.pop_back();
      for (const Use& use : graph.value(value).uses) {
        rows = std::max(rows, rows_looked_up(graph, use));
        const Node& node = graph.node(use.node);
        if (use.input != 0 || !passes_ids_on(node)) continue;
        for (const ValueId output : node.outputs) {
          if (output != kNoValue && seen.insert(output).second) open.push_back(output);
        }
      }
    }
    if (rows > 0) found.push_back({graph.value(input).name, rows});
  }
  return found;
}

std::optional<LookedUpInput> token_input(const Graph& graph) {
  const std::vector<LookedUpInput> inputs = looked_up_inputs(graph);
  const auto largest = std::ranges::max_element(inputs, {}, &LookedUpInput::rows);
  if (largest == inputs.end()) return {};
  return *largest;
}

std::vector<OutputRole> judge_outputs(const TensorMap& outputs, const std::vector<PortInfo>& order,
                                      const Batch& batch, std::optional<std::int64_t> vocabulary) {
  std::int64_t rows = 0;
  std::int64_t sequence = 0;
  for (const auto& [name, tensor] : batch.inputs) {
    if (tensor.rank() >= 1) rows = std::max(rows, tensor.dims()[0]);
    if (tensor.rank() == 2 && is_integer(tensor.dtype())) {
      sequence = std::max(sequence, tensor.dims()[1]);
    }
  }
  std::set<std::int64_t> hidden_sizes;  // a pooled vector of this width is no row of logits
  std::vector<OutputRole> roles;
  for (const PortInfo& port : order) {
    OutputRole role{port.name, OutputKind::values};
    const auto found = outputs.find(port.name);
    if (found != outputs.end() && is_float(found->second.dtype())) {
      const Dims& dims = found->second.dims();
      const bool per_sample = !dims.empty() && dims[0] == rows;
      if (per_sample && dims.size() == 3 && sequence > 0 && dims[1] == sequence) {
        const bool is_vocabulary = vocabulary && dims[2] == *vocabulary;
        role.kind = is_vocabulary ? OutputKind::token_logits : OutputKind::token_vectors;
        if (!is_vocabulary) hidden_sizes.insert(dims[2]);
      } else if (per_sample && dims.size() == 2 && dims[1] > 1) {
        role.kind = OutputKind::class_logits;
      } else if (per_sample && (dims.size() == 1 || (dims.size() == 2 && dims[1] == 1))) {
        role.kind = OutputKind::single_numbers;
      }
    }
    roles.push_back(std::move(role));
  }
  for (OutputRole& role : roles) {
    if (role.kind == OutputKind::class_logits &&
        hidden_sizes.contains(outputs.find(role.name)->second.dims()[1])) {
      role.kind = OutputKind::values;
    }
  }
  return roles;
}

TaskChoice choose_task(const std::vector<OutputRole>& roles, bool has_labels) {
  const auto first = [&](OutputKind kind) {
    return std::ranges::find(roles, kind, &OutputRole::kind);
  };
  if (const auto role = first(OutputKind::token_logits); role != roles.end()) {
    return {Task::language_model, role->name};
  }
  if (!has_labels) return {};
  if (const auto role = first(OutputKind::class_logits); role != roles.end()) {
    return {Task::classification, role->name};
  }
  if (const auto role = first(OutputKind::single_numbers); role != roles.end()) {
    return {Task::regression, role->name};
  }
  return {};
}

}  // namespace onnxpress
