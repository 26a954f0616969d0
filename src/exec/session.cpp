// SPDX-License-Identifier: Apache-2.0
#include "exec/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/error_codes.h"
#include "base/thread_pool.h"
#include "exec/execution.h"
#include "exec/input_check.h"
#include "exec/program.h"

namespace onnxpress {
namespace {

std::vector<PortInfo> ports(const Graph& graph, std::span<const ValueId> ids) {
  std::vector<PortInfo> all;
  for (const ValueId id : ids) {
    const Value& value = graph.value(id);
    all.push_back({value.name, value.dtype, value.shape, value.is_input && value.constant});
  }
  return all;
}

InstructionSet capped(std::optional<InstructionSet> cap) {
  const InstructionSet detected = detected_instruction_set();
  return cap ? std::min(*cap, detected) : detected;
}

}  // namespace

struct Session::Impl {
  // A program with the values that it was built to show.
  struct Runnable {
    std::vector<std::string> taps;
    exec::Program program;
    exec::Execution execution;
    Runnable(const Impl& impl, std::vector<std::string> names, std::span<const ValueId> tapped)
        : taps(std::move(names)),
          program(impl.graph, impl.opsets, tapped, impl.program_options, impl.pool),
          execution(program, impl.pool, impl.arena) {}
  };

  Impl(const Model& model, const SessionOptions& options)
      : graph(model.graph),
        opsets(model.opsets),
        program_options{options.reference_kernels, options.fuse && !options.reference_kernels,
                        capped(options.instruction_set)},
        pool(options.threads),
        inputs(ports(graph, graph.inputs())),
        outputs(ports(graph, graph.outputs())),
        plain(*this, {}, {}) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const DType type = plain.program.type(plain.program.graph().outputs()[i]);
      if (type != DType::undefined) outputs[i].dtype = type;
    }
  }

  // The program that shows these values; the last one is kept, since a tap is used for many runs.
  Runnable& with_taps(const Tap& tap) {
    if (tap.values.empty()) return plain;
    if (tapped && tapped->taps == tap.values) return *tapped;
    std::vector<ValueId> ids;
    for (const std::string& name : tap.values) {
      const auto id = graph.find_value(name);
      if (!id) {
        throw Error(codes::unknown_name, fmt::format("the model has no value \"{}\"", name));
      }
      ids.push_back(*id);
    }
    tapped.reset();
    tapped = std::make_unique<Runnable>(*this, tap.values, ids);
    return *tapped;
  }

  Graph graph;
  std::vector<OpsetImport> opsets;
  exec::ProgramOptions program_options;
  mutable ThreadPool pool;
  mutable exec::Arena arena;
  std::vector<PortInfo> inputs, outputs;
  std::mutex running;
  Runnable plain;
  std::unique_ptr<Runnable> tapped;
};

Session::Session(const Model& model, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(model, options)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

TensorMap Session::run(const TensorMap& inputs, const Tap& tap) const {
  auto matched = exec::match_inputs(impl_->inputs, inputs);
  for (std::size_t i = 0; i < matched.size(); ++i) {
    if (matched[i] == nullptr) {
      matched[i] = &*impl_->graph.value(impl_->graph.inputs()[i]).constant;
    }
  }
  const std::lock_guard lock(impl_->running);
  Impl::Runnable& runnable = impl_->with_taps(tap);
  exec::Execution::See see;
  if (!tap.values.empty() && tap.see) {
    see = [&](int i, const Tensor& tensor) {
      tap.see(tap.values[static_cast<std::size_t>(i)], tensor);
    };
  }
  std::vector<Tensor> results = runnable.execution.run(matched, see);
  TensorMap outputs;
  for (std::size_t i = 0; i < results.size(); ++i) {
    outputs.insert_or_assign(impl_->outputs[i].name, std::move(results[i]));
  }
  return outputs;
}

const std::vector<PortInfo>& Session::inputs() const {
  return impl_->inputs;
}
const std::vector<PortInfo>& Session::outputs() const {
  return impl_->outputs;
}
int Session::threads() const {
  return impl_->pool.threads();
}
InstructionSet Session::instruction_set() const {
  return impl_->program_options.instruction_set;
}
std::size_t Session::arena_bytes() const {
  return impl_->arena.bytes();
}

std::string Session::describe() const {
  std::string text;
  for (const exec::Step& step : impl_->plain.program.steps()) {
    text += fmt::format("{}{}  {}{}\n", step.node->domain.empty() ? "" : step.node->domain + ".",
                        step.node->op_type, step.node->name,
                        step.per_shape ? "  (once per set of sizes)" : "");
  }
  return text;
}

}  // namespace onnxpress
