// SPDX-License-Identifier: Apache-2.0
// Norms and Softmax over the last axis.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error_codes.h"
#include "exec/fast/fast_kernels.h"
#include "exec/fast/level/level.h"
#include "exec/fast/residual.h"
#include "exec/fusion/fused_ops.h"
#include "exec/kernels/broadcast.h"

namespace onnxpress::exec::fast {
namespace {

// Rows that together have about 16,384 elements.
std::int64_t rows_per_chunk(std::int64_t width) {
  return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, width));
}

bool is_last_axis(const NodeInfo& info, std::int64_t axis) {
  if (axis == -1) return true;
  const auto& shape = info.graph.value(info.node.inputs.at(0)).shape;
  return shape && axis == static_cast<std::int64_t>(shape->size()) - 1;
}

std::optional<std::string> refuses_norm(const NodeInfo& info) {
  if (!is_last_axis(info, info.node.attributes.get_int("axis", -1))) return "another axis";
  if (info.node.outputs.size() > 1) return "more than one output";
  for (std::size_t i = 1; i < info.node.inputs.size(); ++i) {
    if (!info.has_input(i)) continue;
    const auto& value = info.graph.value(info.node.inputs[i]);
    if (!value.shape || value.shape->size() != 1) return "a gain or shift that is no vector";
    if (info.type(i) != DType::float32) return "a gain or shift of another type";
  }
  return std::nullopt;
}

std::int64_t width_of(const Extents& dims) {
  return dims.empty() ? 1 : dims.back();
}

const float* vector_of(const KernelContext& c, std::size_t input, std::int64_t width) {
  if (!c.has_input(input)) return nullptr;
  const auto values = c.input(input).as<float>();
  if (static_cast<std::int64_t>(values.size()) == width) return values.data();
  throw Error(codes::shape_mismatch,
              fmt::format("{} factors or summands for rows of {}", values.size(), width));
}

// Rows of p.x, which has sizes `dims`.
void run_rows(KernelContext& c, NormRows p, const Extents& dims, bool rms) {
  p.width = width_of(dims);
  p.y = c.output<float>(0, dims).data();
  if (p.width == 0) return;
  const Level& best = level(c.instruction_set());
  const std::int64_t width = p.width;
  c.parallel_for(product(dims) / width, rows_per_chunk(width),
                 [&](std::int64_t begin, std::int64_t end) {
                   NormRows some = p;
                   const std::int64_t at = begin * width;
                   some.x += at;
                   some.y += at;
                   if (p.residual != nullptr) some.residual += at;
                   some.rows = end - begin;
                   rms ? best.rms_norm(some) : best.layer_norm(some);
                 });
}

template <bool rms>
void run_norm(KernelContext& c) {
  const TensorView& x = c.input(0);
  NormRows p;
  p.x = x.as<float>().data();
  p.gain = vector_of(c, 1, width_of(x.dims));
  p.shift = rms ? nullptr : vector_of(c, 2, width_of(x.dims));
  p.epsilon = c.get_float("epsilon", 1e-5F);
  run_rows(c, p, x.dims, rms);
}

struct NormState final : KernelState {
  bool rms = false;
};

std::unique_ptr<KernelState> prepare_fused(const NodeInfo& info) {
  auto state = std::make_unique<NormState>();
  state->rms = info.node.attributes.get_string("kind", "layer") == "rms";
  return state;
}

void run_fused(KernelContext& c) {
  const TensorView& x = c.input(0);
  NormRows p;
  p.x = x.as<float>().data();
  Extents dims = x.dims;
  if (c.has_input(1)) {
    const TensorView& residual = c.input(1);
    p.residual = residual.as<float>().data();
    if (!(residual.dims == dims)) {  // the sum is made first
      dims = broadcast_shape(dims, residual.dims);
      float* sum = c.scratch<float>(static_cast<std::size_t>(product(dims))).data();
      add(c.pool(), p.x, x.dims, residual, sum, dims);
      p.x = sum;
      p.residual = nullptr;
    }
  }
  p.gain = vector_of(c, 2, width_of(dims));
  p.shift = vector_of(c, 3, width_of(dims));
  p.epsilon = c.get_float("epsilon", 1e-5F);
  run_rows(c, p, dims, c.state<NormState>().rms);
}

std::optional<std::string> refuses_softmax(const NodeInfo& info) {
  if (is_last_axis(info, info.node.attributes.get_int("axis", info.opset < 13 ? 1 : -1))) {
    return std::nullopt;
  }
  return "another axis";
}

void run_softmax(KernelContext& c) {
  const TensorView& x = c.input(0);
  const std::int64_t width = x.rank() == 0 ? 1 : x.dims.back();
  const float* from = x.as<float>().data();
  float* to = c.output<float>(0, x.dims).data();
  if (width == 0) return;
  const Level& best = level(c.instruction_set());
  c.parallel_for(x.size / width, rows_per_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      best.softmax(from + r * width, nullptr, 1, width, to + r * width);
    }
  });
}

constexpr std::array kRows{
    KernelRow{.op_type = "LayerNormalization",
              .since = 17,
              .types = kFloat32,
              .run = run_norm<false>,
              .refuses = refuses_norm},
    KernelRow{.op_type = "RMSNormalization",
              .since = 23,
              .types = kFloat32,
              .run = run_norm<true>,
              .refuses = refuses_norm},
    KernelRow{.op_type = "Softmax",
              .types = kFloat32,
              .run = run_softmax,
              .refuses = refuses_softmax,
              .in_place = 1},
    KernelRow{.op_type = fused::kNorm,
              .types = kFloat32,
              .run = run_fused,
              .prepare = prepare_fused,
              .domain = kFusedDomain},
};

}  // namespace

KernelRows normalization_rows() {
  return kRows;
}

}  // namespace onnxpress::exec::fast
