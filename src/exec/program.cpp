// SPDX-License-Identifier: Apache-2.0
#include "exec/program.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error_codes.h"
#include "exec/fold.h"
#include "exec/fusion/fusion.h"
#include "exec/unsupported.h"
#include "exec/widen.h"

namespace onnxpress::exec {
namespace {

std::size_t index(ValueId id) {
  return static_cast<std::size_t>(id);
}

}  // namespace

Program::Program(Graph graph, std::span<const OpsetImport> opsets, std::span<const ValueId> tapped,
                 const ProgramOptions& options, ThreadPool& pool)
    : graph_(std::move(graph)), opsets_(opsets.begin(), opsets.end()), options_(options) {
  for (const ValueId id : tapped) graph_.mutable_value(id).is_output = true;
  graph_.remove_unused();
  graph_.sort();
  infer_types();
  if (!options_.reference_kernels) compute_halves_as_floats(graph_, types_);
  // Before fusion everything is folded that fusion does not want to see as it is.
  fold(options_.fuse, pool);
  if (options_.fuse) {
    for (const ValueId id : graph_.values()) {
      if (type(id) != DType::undefined) graph_.mutable_value(id).dtype = type(id);
    }
    fuse(graph_, opset(Node{}));
    graph_.remove_unused();
    graph_.sort();
    fold(false, pool);
  }
  make_steps();
  find_uses(tapped);
  find_per_shape_steps();
}

std::int64_t Program::opset(const Node& node) const {
  if (node.domain == kFusedDomain) return 1;
  for (const OpsetImport& import : opsets_) {
    if (import.domain == node.domain) return import.version;
  }
  return 1;
}

void Program::infer_input_types() {
  types_.assign(graph_.value_capacity(), DType::undefined);
  for (const ValueId id : graph_.values()) {
    const Value& value = graph_.value(id);
    if (!value.producer || value.constant) types_[index(id)] = value.dtype;
  }
}

Program::Choice Program::choose(NodeId id) {
  const Node& node = graph_.node(id);
  Choice choice{id, opset(node), {}, {}};
  for (const ValueId input : node.inputs) {
    choice.input_types.push_back(input == kNoValue ? DType::undefined : types_[index(input)]);
  }
  const NodeInfo info{graph_, node, choice.opset, choice.input_types, options_.instruction_set};
  choice.kernel = choose_kernel(info, options_.reference_kernels);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId output = node.outputs[i];
    if (output == kNoValue) continue;
    types_[index(output)] = choice.kernel.row != nullptr ? output_type(*choice.kernel.row, info, i)
                                                         : graph_.value(output).dtype;
  }
  return choice;
}

// Kernels say what type their outputs have; fusion and widening rely on it being known.
void Program::infer_types() {
  infer_input_types();
  for (const NodeId id : graph_.nodes()) {
    if (graph_.node(id).is("Constant")) continue;
    static_cast<void>(choose(id));
    for (const ValueId output : graph_.node(id).outputs) {
      if (output == kNoValue || types_[index(output)] == DType::undefined) continue;
      graph_.mutable_value(output).dtype = types_[index(output)];
    }
  }
}

void Program::fold(bool keep_dequantization, ThreadPool& pool) {
  infer_input_types();
  const std::vector<NodeId> nodes(graph_.nodes().begin(), graph_.nodes().end());
  for (const NodeId id : nodes) {
    const Node& node = graph_.node(id);
    if (node.is("Constant")) continue;
    const Choice choice = choose(id);
    if (choice.kernel.row == nullptr || !node.captures.empty()) continue;
    if (keep_dequantization && node.is("DequantizeLinear")) continue;
    const NodeInfo info{graph_, node, choice.opset, choice.input_types, options_.instruction_set};
    const auto outputs = fold_node(info, *choice.kernel.row, pool);
    if (!outputs) continue;
    const std::vector<ValueId> ids = node.outputs;
    graph_.erase(id);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == kNoValue) continue;
      Value& value = graph_.mutable_value(ids[i]);
      value.dtype = (*outputs)[i].dtype();
      value.shape = to_shape((*outputs)[i].dims());
      value.constant = (*outputs)[i];
    }
  }
  graph_.remove_unused();
}

void Program::make_steps() {
  infer_input_types();
  UnsupportedOperators unsupported;
  for (const NodeId id : graph_.nodes()) {
    const Node& node = graph_.node(id);
    if (node.is("Constant")) {
      if (graph_.constant(node.outputs.at(0)) != nullptr) continue;
      unsupported.add(node, opset(node), "a constant of this kind");
      continue;
    }
    Choice choice = choose(id);
    if (choice.kernel.row == nullptr) {
      unsupported.add(node, choice.opset, choice.kernel.reason);
      continue;
    }
    Step step;
    step.id = id;
    step.node = &node;
    step.row = choice.kernel.row;
    step.opset = choice.opset;
    if (step.row->prepare != nullptr) {
      step.state = step.row->prepare(
          {graph_, node, choice.opset, choice.input_types, options_.instruction_set});
    }
    steps_.push_back(std::move(step));
  }
  unsupported.throw_if_any();
}

void Program::find_uses(std::span<const ValueId> tapped) {
  const std::size_t count = graph_.value_capacity();
  uses_.assign(count, 0);
  taps_.assign(count, -1);
  escapes_.assign(count, false);
  for (const Step& step : steps_) {
    for (const ValueId id : step.node->inputs) {
      if (id != kNoValue) ++uses_[index(id)];
    }
  }
  for (const ValueId id : graph_.outputs()) {
    ++uses_[index(id)];
    escapes_[index(id)] = true;
  }
  for (std::size_t i = 0; i < tapped.size(); ++i) {
    taps_[index(tapped[i])] = static_cast<int>(i);
    escapes_[index(tapped[i])] = true;
  }
  // Aliases come after what they alias, so one walk from the end reaches the memory behind them.
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    const ValueId output = step->node->outputs.empty() ? kNoValue : step->node->outputs[0];
    const ValueId input = step->node->input(0);
    if (step->row->aliases && output != kNoValue && input != kNoValue && escapes_[index(output)]) {
      escapes_[index(input)] = true;
    }
  }
}

void Program::find_per_shape_steps() {
  // Of each value: do the sizes of the graph's inputs determine its sizes, its elements?
  std::vector<bool> sizes(graph_.value_capacity(), false), elements = sizes;
  for (const ValueId id : graph_.values()) {
    const bool constant = graph_.constant(id) != nullptr;
    elements[index(id)] = constant;
    sizes[index(id)] = constant || graph_.value(id).is_input;
  }
  for (Step& step : steps_) {
    bool fixed_sizes = true, fixed_elements = true;
    for (std::size_t i = 0; i < step.node->inputs.size(); ++i) {
      const ValueId id = step.node->inputs[i];
      if (id == kNoValue) continue;
      const bool shapes_output = i < 32 && (step.row->shape_inputs >> i & 1U) != 0;
      fixed_sizes = fixed_sizes && sizes[index(id)] && (!shapes_output || elements[index(id)]);
      fixed_elements = fixed_elements && elements[index(id)];
    }
    if (!step.node->captures.empty()) fixed_sizes = fixed_elements = false;
    if (step.row->reads_only_sizes) fixed_elements = fixed_sizes;
    const bool reads_nothing = step.node->inputs.empty();
    step.per_shape = fixed_elements && !reads_nothing;
    for (const ValueId id : step.node->outputs) {
      if (id == kNoValue) continue;
      sizes[index(id)] = fixed_sizes;
      elements[index(id)] = step.per_shape;
    }
  }
}

}  // namespace onnxpress::exec
