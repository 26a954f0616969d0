// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "exec/fast/activation_name.h"
#include "exec/fast/fast_kernels.h"
#include "exec/fusion/fused_ops.h"

namespace onnxpress::exec::fast {
namespace {

constexpr std::int64_t kChunk = 16384;

struct ActivationState final : KernelState {
  Activation activation = Activation::none;
};

std::unique_ptr<KernelState> prepare(const NodeInfo& info, Activation activation) {
  static_cast<void>(info);
  auto state = std::make_unique<ActivationState>();
  state->activation = activation;
  return state;
}

template <Activation activation>
std::unique_ptr<KernelState> prepare_as(const NodeInfo& info) {
  return prepare(info, activation);
}
std::unique_ptr<KernelState> prepare_gelu(const NodeInfo& info) {
  const bool by_tanh = info.node.attributes.get_string("approximate", "none") == "tanh";
  return prepare(info, by_tanh ? Activation::gelu_tanh : Activation::gelu);
}
std::unique_ptr<KernelState> prepare_fused(const NodeInfo& info) {
  return prepare(info, activation_of(info.node));
}

template <class Function>
void run_chunks(KernelContext& c, const Function& function) {
  const TensorView& x = c.input(0);
  const float* from = x.as<float>().data();
  float* to = c.output<float>(0, x.dims).data();
  c.parallel_for(x.size, kChunk, [&](std::int64_t begin, std::int64_t end) {
    function(from + begin, end - begin, to + begin);
  });
}

void run_activation(KernelContext& c) {
  const Level& best = level(c.instruction_set());
  const Activation activation = c.state<ActivationState>().activation;
  run_chunks(c, [&](const float* x, std::int64_t count, float* y) {
    best.activate(activation, x, count, y);
  });
}
void run_exp(KernelContext& c) {
  run_chunks(c, level(c.instruction_set()).exponential);
}
void run_erf(KernelContext& c) {
  run_chunks(c, level(c.instruction_set()).error_function);
}

constexpr KernelRow row(std::string_view op_type, decltype(KernelRow::run) run,
                        decltype(KernelRow::prepare) prepare_state = nullptr,
                        std::string_view domain = "") {
  return {.op_type = op_type,
          .types = kFloat32,
          .run = run,
          .prepare = prepare_state,
          .in_place = 1,
          .domain = domain};
}

constexpr std::array kRows{
    row("Exp", run_exp),
    row("Erf", run_erf),
    row("Tanh", run_activation, prepare_as<Activation::tanh>),
    row("Sigmoid", run_activation, prepare_as<Activation::sigmoid>),
    row("Relu", run_activation, prepare_as<Activation::relu>),
    row("Gelu", run_activation, prepare_gelu),
    row(fused::kActivation, run_activation, prepare_fused, kFusedDomain),
};

}  // namespace

KernelRows activation_rows() {
  return kRows;
}

}  // namespace onnxpress::exec::fast
