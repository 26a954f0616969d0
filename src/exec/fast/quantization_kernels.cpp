// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error_codes.h"
#include "exec/fast/fast_kernels.h"
#include "exec/fast/products.h"

namespace onnxpress::exec::fast {
namespace {

void run_dynamic(KernelContext& c) {
  const TensorView& x = c.input(0);
  const float* from = x.as<float>().data();
  std::uint8_t* codes = c.output<std::uint8_t>(0, x.dims).data();
  const DynamicRange range =
      quantize_dynamically(level(c.instruction_set()), c.pool(), from, x.size, codes);
  if (c.wants_output(1)) c.output<float>(1, {})[0] = range.scale;
  if (c.wants_output(2)) c.output<std::uint8_t>(2, {})[0] = range.zero_point;
}

DType dynamic_type(const NodeInfo& /*info*/, std::size_t output) {
  return output == 1 ? DType::float32 : DType::uint8;
}

// One scale for all, or one for each place along the last axis; else the plain kernel does it.
std::optional<std::string> refuses_quantize(const NodeInfo& info) {
  if (info.type(1) != DType::float32 || info.type(2) != DType::uint8) return "of other types";
  const Attributes& a = info.node.attributes;
  if (a.get_int("block_size", 0) != 0 || a.get_int("precision", 0) > 1) return "in blocks";
  const Tensor* scale = info.constant(1);
  const Tensor* zero = info.constant(2);
  if (scale == nullptr || zero == nullptr || scale->size() != zero->size()) {
    return "with computed scales";
  }
  if (scale->size() == 1 && scale->rank() <= 1) return std::nullopt;
  if (a.get_int("axis", 1) != -1 || scale->rank() != 1) return "along another axis";
  return std::nullopt;
}

// Scales and zero points, repeated so often that rows of them are worth a vector loop.
struct QuantizeState : KernelState {
  std::vector<float> scales, low, high, zeros;
  bool per_channel = false;
};

constexpr std::size_t kStrip = 256;  // elements that share one scale

std::unique_ptr<KernelState> prepare_quantize(const NodeInfo& info) {
  const auto scales = info.constant(1)->as<float>();
  const auto zeros = info.constant(2)->as<std::uint8_t>();
  auto state = std::make_unique<QuantizeState>();
  state->per_channel = scales.size() > 1;
  const std::size_t count = state->per_channel ? scales.size() : kStrip;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = state->per_channel ? i : 0;
    const auto zero = static_cast<float>(zeros[at]);
    state->scales.push_back(scales[at]);
    state->zeros.push_back(zero);
    state->low.push_back(-zero);
    state->high.push_back(255 - zero);
  }
  return state;
}

// Adding it to a float of magnitude below 2²² and taking it away rounds to an integer, ties to
// even. NaN becomes the zero point, as in the plain kernel.
constexpr float kRounder = 12582912.0F;

void quantize_row(const QuantizeState& state, const float* x, std::size_t count, std::uint8_t* to) {
  const float* scales = state.scales.data();
  const float* low = state.low.data();
  const float* high = state.high.data();
  const float* zeros = state.zeros.data();
  for (std::size_t j = 0; j < count; ++j) {
    const float scaled = x[j] / scales[j];
    const float number = scaled == scaled ? scaled : 0.0F;
    const float value = std::min(std::max(low[j], number), high[j]);
    to[j] = static_cast<std::uint8_t>(
        static_cast<std::int32_t>((value + kRounder) - kRounder + zeros[j]));
  }
}

void run_quantize(KernelContext& c) {
  const auto& state = c.state<QuantizeState>();
  const TensorView& x = c.input(0);
  const auto width = static_cast<std::int64_t>(state.scales.size());
  if (state.per_channel && (x.rank() == 0 || x.dims.back() != width)) {
    throw Error(codes::shape_mismatch,
                fmt::format("{} scales for an input of shape {}", width, to_string(x.dims)));
  }
  const float* from = x.as<float>().data();
  std::uint8_t* to = c.output<std::uint8_t>(0, x.dims).data();
  const std::int64_t strips = (x.size + width - 1) / width;
  c.parallel_for(strips, std::max<std::int64_t>(1, 16384 / width),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     const std::int64_t at = i * width;
                     const std::int64_t count = std::min(width, x.size - at);
                     quantize_row(state, from + at, static_cast<std::size_t>(count), to + at);
                   }
                 });
}

constexpr std::array kRows{KernelRow{.op_type = "QuantizeLinear",
                                     .since = 10,
                                     .types = kFloat32,
                                     .run = run_quantize,
                                     .refuses = refuses_quantize,
                                     .prepare = prepare_quantize,
                                     .output_type = always<DType::uint8>},
                           KernelRow{.op_type = "DynamicQuantizeLinear",
                                     .types = kFloat32,
                                     .run = run_dynamic,
                                     .output_type = dynamic_type}};

}  // namespace

KernelRows quantization_rows() {
  return kRows;
}

}  // namespace onnxpress::exec::fast
