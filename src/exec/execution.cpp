// SPDX-License-Identifier: Apache-2.0
#include "exec/execution.h"

#include <fmt/format.h>

#include "base/error_codes.h"
#include "exec/memory_size.h"
#include "exec/unsupported.h"

namespace onnxpress::exec {
namespace {

// Values that sizes alone determine are kept with the plan up to this many bytes each.
constexpr std::size_t kLargestKeptBytes = std::size_t{1} << 20;

}  // namespace

Execution::Execution(const Program& program, ThreadPool& pool, Arena& arena)
    : program_(program), arena_(arena), slots_(program.graph().value_capacity()) {
  pool_ = &pool;
  instruction_set_ = program.instruction_set();
  bind_constants();
}

std::vector<Tensor> Execution::run(std::span<const Tensor* const> inputs, const See& see) {
  clear();
  choose_plan(inputs);
  const Graph& graph = program_.graph();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    bind(graph.inputs()[i], std::make_shared<Tensor>(*inputs[i]));
  }
  if (see) {
    for (const ValueId id : graph.inputs()) show(id, see);
    for (const ValueId id : graph.values()) {
      if (graph.constant(id) != nullptr) show(id, see);
    }
  }
  if (plan_ != nullptr) {
    for (const Plan::Kept& kept : plan_->kept) bind(kept.value, kept.tensor);
  }
  const auto& steps = program_.steps();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (plan_ != nullptr && plan_->skip[i]) {
      if (see) {
        for (const ValueId id : steps[i].node->outputs) show(id, see);
      }
      continue;
    }
    run_step(i, see);
  }
  std::vector<Tensor> outputs;
  outputs.reserve(graph.outputs().size());
  for (const ValueId id : graph.outputs()) outputs.push_back(tensor(id));
  if (recording_) finish_recording();
  clear();
  return outputs;
}

void Execution::clear() {
  const Graph& graph = program_.graph();
  for (const Step& step : program_.steps()) {
    for (const ValueId id : step.node->outputs) {
      if (id != kNoValue) slot(id) = {};
    }
  }
  for (const ValueId id : graph.inputs()) slot(id) = {};
  recording_.reset();
  plan_ = nullptr;
  arena_.reset();
}

void Execution::bind(ValueId id, std::shared_ptr<const Tensor> tensor) {
  Slot& s = slot(id);
  s.view = view(*tensor);
  s.root = id;
  s.storage = Storage::external;
  s.owner = std::move(tensor);
}

void Execution::bind_constants() {
  const Graph& graph = program_.graph();
  for (const ValueId id : graph.values()) {
    const Tensor* constant = graph.constant(id);
    if (constant == nullptr || constant->dtype() == DType::string) continue;
    bind(id, std::make_shared<Tensor>(*constant));
  }
}

void Execution::choose_plan(std::span<const Tensor* const> inputs) {
  key_.clear();
  for (const Tensor* tensor : inputs) {
    key_.push_back(tensor->rank());
    key_.insert(key_.end(), tensor->dims().begin(), tensor->dims().end());
  }
  plan_ = plans_.find(key_);
  if (plan_ != nullptr) {
    if (!plan_->placed) plan_->assign_offsets();
    planned_base_ = arena_.whole(plan_->arena_bytes);
    return;
  }
  recording_ = std::make_unique<Plan>();
  recording_->key = key_;
  recording_->buffer_of.assign(slots_.size(), -1);
  recording_->bytes_of.assign(slots_.size(), 0);
  recorded_.clear();
}

void Execution::run_step(std::size_t index, const See& see) {
  const Step& step = program_.steps()[index];
  step_ = index;
  node_ = step.node;
  state_ = step.state.get();
  opset_ = step.opset;
  scratch_.reset();
  try {
    step.row->run(*this);
    for (std::size_t i = 0; i < node_->outputs.size(); ++i) {
      if (wants_output(i) && slot(node_->outputs[i]).root == kNoValue) {
        throw Error(codes::graph_malformed, fmt::format("there is no output {}", i));
      }
    }
  } catch (const Error& error) {
    throw error.in("node " + label(program_.graph(), *node_));
  }
  if (see) {
    for (const ValueId id : node_->outputs) show(id, see);
  }
  release_inputs(*node_);
}

void Execution::show(ValueId id, const See& see) {
  if (id == kNoValue) return;
  const int tap = program_.tap_index(id);
  if (tap >= 0 && slot(id).root != kNoValue) see(tap, tensor(id));
}

void Execution::release_inputs(const Node& node) {
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    Slot& root = slot(slot(id).root);
    if (root.storage != Storage::external && --root.pending == 0) release(slot(id).root);
  }
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    Slot& root = slot(slot(id).root);
    if (root.pending == 0) release(slot(id).root);
  }
}

void Execution::release(ValueId root) {
  Slot& s = slot(root);
  if (s.storage == Storage::heap) {
    if (!s.keep) s.owner.reset();
  } else if (s.storage == Storage::arena) {
    recording_->buffers[static_cast<std::size_t>(s.buffer)].last = static_cast<std::int32_t>(step_);
    arena_.free(recorded_[static_cast<std::size_t>(s.buffer)]);
  }
}

const TensorView& Execution::input(std::size_t i) const {
  if (!has_input(i)) throw_missing_input(i);
  return slot(node_->inputs[i]).view;
}

std::byte* Execution::output(std::size_t i, DType dtype, const Extents& dims) {
  const std::size_t bytes = memory_size(dtype, dims);
  const ValueId id = node_->outputs.at(i);
  Slot& s = slot(id);
  s.view = {dtype, dims, product(dims), nullptr};
  s.root = id;
  s.pending = program_.uses(id);
  s.keep = recording_ && program_.steps()[step_].per_shape;
  std::byte* memory = nullptr;
  if (!program_.escapes(id) && !s.keep) {
    memory = recording_ ? recorded_memory(id, bytes) : planned_memory(id, bytes);
  }
  if (memory == nullptr) {
    auto owner = allocate_bytes(bytes);
    memory = owner.get();
    s.owner = std::move(owner);
    s.storage = Storage::heap;
  }
  s.view.data = memory;
  return memory;
}

void Execution::alias_output(std::size_t i, std::size_t j, const Extents& dims) {
  const ValueId id = node_->outputs.at(i);
  const Slot& source = slot(node_->inputs.at(j));
  if (product(dims) != source.view.size) {
    throw Error(codes::shape_mismatch, fmt::format("shape {} has not as many elements as {}",
                                                   to_string(dims), to_string(source.view.dims)));
  }
  Slot& s = slot(id);
  s.view = {source.view.dtype, dims, source.view.size, source.view.data};
  s.root = source.root;
  slot(source.root).pending += program_.uses(id);
}

// The memory of an input that nothing reads after this step, if the kernel allows it.
std::byte* Execution::in_place_memory(ValueId id, std::size_t bytes) {
  const KernelRow& row = *program_.steps()[step_].row;
  if (row.in_place == 0 || node_->outputs[0] != id) return nullptr;
  Slot& s = slot(id);
  for (std::size_t j = 0; j < node_->inputs.size() && j < 32; ++j) {
    if ((row.in_place >> j & 1U) == 0 || node_->inputs[j] == kNoValue) continue;
    const Slot& source = slot(node_->inputs[j]);
    Slot& root = slot(source.root);
    if (root.storage != Storage::arena) continue;
    int reads = 0;
    for (const ValueId other : node_->inputs) {
      if (other != kNoValue && slot(other).root == source.root) ++reads;
    }
    const bool same_size = source.view.size == s.view.size && source.view.byte_count() == bytes;
    if (root.pending != reads || !same_size || bytes == 0) continue;
    s.buffer = root.buffer;
    s.storage = Storage::arena;
    root.storage = Storage::none;
    return recorded_[static_cast<std::size_t>(s.buffer)];
  }
  return nullptr;
}

std::byte* Execution::recorded_memory(ValueId id, std::size_t bytes) {
  Slot& s = slot(id);
  std::byte* memory = in_place_memory(id, bytes);
  if (memory == nullptr) {
    memory = arena_.allocate(bytes);
    s.buffer = static_cast<std::int32_t>(recording_->buffers.size());
    s.storage = Storage::arena;
    const auto step = static_cast<std::int32_t>(step_);
    recording_->buffers.push_back({bytes, step, step, 0});
    recorded_.push_back(memory);
  }
  recording_->buffer_of[static_cast<std::size_t>(id)] = s.buffer;
  recording_->bytes_of[static_cast<std::size_t>(id)] = bytes;
  return memory;
}

// Null where the value is of another size than in the recorded run: sizes that depend on elements.
std::byte* Execution::planned_memory(ValueId id, std::size_t bytes) {
  const std::int32_t buffer = plan_->buffer_of[static_cast<std::size_t>(id)];
  if (buffer < 0 || plan_->bytes_of[static_cast<std::size_t>(id)] != bytes) return nullptr;
  slot(id).storage = Storage::planned;
  return planned_base_ + plan_->buffers[static_cast<std::size_t>(buffer)].offset;
}

void Execution::finish_recording() {
  const auto& steps = program_.steps();
  Plan& plan = *recording_;
  plan.skip.assign(steps.size(), false);
  std::vector<bool> needed(slots_.size(), false);
  for (const ValueId id : program_.graph().outputs()) needed[static_cast<std::size_t>(id)] = true;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    bool small = true;
    for (const ValueId id : steps[i].node->outputs) {
      if (id == kNoValue) continue;
      small = small && slot(id).view.byte_count() <= kLargestKeptBytes;
      if (program_.tap_index(id) >= 0) needed[static_cast<std::size_t>(id)] = true;
    }
    plan.skip[i] = steps[i].per_shape && small;
    if (plan.skip[i]) continue;
    for (const ValueId id : steps[i].node->inputs) {
      if (id != kNoValue) needed[static_cast<std::size_t>(id)] = true;
    }
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!plan.skip[i]) continue;
    for (const ValueId id : steps[i].node->outputs) {
      if (id != kNoValue && needed[static_cast<std::size_t>(id)]) {
        plan.kept.push_back({id, std::make_shared<Tensor>(tensor(id))});
      }
    }
  }
  plans_.insert(std::move(recording_));
}

// The value as a tensor that may be kept. Values that the arena holds are copied; those that were
// expected to leave the run were not put there.
Tensor Execution::tensor(ValueId id) const {
  const Slot& s = slot(id);
  const Slot& root = slot(s.root);
  const std::span<const std::byte> bytes{s.view.data, s.view.byte_count()};
  if (root.storage == Storage::heap || root.storage == Storage::external) {
    return {s.view.dtype, s.view.dims.dims(), bytes, root.owner};
  }
  return Tensor::from_bytes(s.view.dtype, s.view.dims.dims(), {bytes.begin(), bytes.end()});
}

}  // namespace onnxpress::exec
