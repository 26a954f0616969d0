// SPDX-License-Identifier: Apache-2.0
// u8 × s8 products with a constant second factor: MatMulInteger and the fused dynamic one.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error_codes.h"
#include "exec/fast/activation_name.h"
#include "exec/fast/fast_kernels.h"
#include "exec/fast/packed_weights.h"
#include "exec/fast/products.h"
#include "exec/fast/residual.h"
#include "exec/fusion/fused_ops.h"

namespace onnxpress::exec::fast {
namespace {

struct IntegerState final : KernelState {
  IntegerState(PackedIntegers packed, std::vector<float> scale, Activation function)
      : weights(std::move(packed)), scales(std::move(scale)), activation(function) {}
  PackedIntegers weights;
  std::vector<float> scales;  // one a column
  Activation activation;
};

PackedIntegers pack(const NodeInfo& info, const Tensor& w) {
  const std::int64_t k = w.dims()[0];
  const std::int64_t n = w.dims()[1];
  return {level(info.instruction_set), w.as<std::int8_t>(), {n, 1}, k, n};
}

std::optional<std::string> refuses_weights(const Tensor* w) {
  if (w == nullptr || w->rank() != 2 || w->dtype() != DType::int8) {
    return "a second factor that is no constant int8 matrix";
  }
  if (w->dims()[0] > kMaxIntegerDepth) return "sums that could overflow";
  return std::nullopt;
}

std::optional<std::string> refuses_matmul(const NodeInfo& info) {
  if (auto reason = refuses_weights(info.constant(1))) return reason;
  if (info.has_input(3)) {
    const Tensor* zero = info.constant(3);
    if (zero == nullptr) return "a computed zero point of the second factor";
    const auto values = zero->to_int64s();
    if (std::any_of(values.begin(), values.end(), [](std::int64_t z) { return z != 0; })) {
      return "a zero point of the second factor";
    }
  }
  return std::nullopt;
}

std::unique_ptr<KernelState> prepare_matmul(const NodeInfo& info) {
  return std::make_unique<IntegerState>(pack(info, *info.constant(1)), std::vector<float>{},
                                        Activation::none);
}

std::optional<std::string> refuses_fused(const NodeInfo& info) {
  if (auto reason = refuses_weights(info.constant(3))) return reason;
  const Tensor* scale = info.constant(4);
  if (scale == nullptr || scale->dtype() != DType::float32 ||
      (scale->size() != 1 && scale->size() != info.constant(3)->dims()[1])) {
    return "scales that are no constants";
  }
  return std::nullopt;
}

std::unique_ptr<KernelState> prepare_fused(const NodeInfo& info) {
  const Tensor& w = *info.constant(3);
  const auto scale = info.constant(4)->as<float>();
  std::vector<float> scales(scale.begin(), scale.end());
  if (scales.size() == 1) scales.assign(static_cast<std::size_t>(w.dims()[1]), scales[0]);
  return std::make_unique<IntegerState>(pack(info, w), std::move(scales), activation_of(info.node));
}

// The product of input 0 and the packed weights, without zero point, scales and output.
IntegerProduct plain_product(KernelContext& c, const PackedIntegers& w, Extents& dims) {
  const TensorView& x = c.input(0);
  if (x.rank() == 0 || x.dims.back() != w.k()) {
    throw Error(codes::shape_mismatch,
                fmt::format("{} × [{}, {}] do not fit together", to_string(x.dims), w.k(), w.n()));
  }
  dims = x.dims;
  dims[dims.size() - 1] = w.n();
  IntegerProduct p;
  p.a = x.as<std::uint8_t>().data();
  p.b = w.data();
  p.column_sums = w.column_sums().data();
  p.k = w.k();
  p.n = p.c_stride = p.residual_stride = w.n();
  p.rows = product(dims, 0, dims.size() - 1);
  return p;
}

template <class T>
T scalar(const TensorView& view) {
  const auto values = view.as<T>();
  if (values.size() == 1) return values[0];
  throw Error(codes::shape_mismatch,
              fmt::format("one number for the whole tensor was expected, not {}", values.size()));
}

void run_matmul(KernelContext& c) {
  const auto& state = c.state<IntegerState>();
  Extents dims;
  IntegerProduct p = plain_product(c, state.weights, dims);
  if (c.has_input(2)) p.zero_point = scalar<std::uint8_t>(c.input(2));
  const Level& best = state.weights.level();
  std::byte* scratch = c.scratch(integer_scratch(best, p.rows, p.k));
  p.integers = c.output<std::int32_t>(0, dims).data();
  multiply(best, c.pool(), p, scratch);
}

void run_fused(KernelContext& c) {
  const auto& state = c.state<IntegerState>();
  Extents dims;
  IntegerProduct p = plain_product(c, state.weights, dims);
  p.a_scale = scalar<float>(c.input(1));
  p.zero_point = scalar<std::uint8_t>(c.input(2));
  p.b_scales = state.scales.data();
  p.activation = state.activation;
  if (c.has_input(5)) {
    const auto bias = c.input(5).as<float>();
    if (static_cast<std::int64_t>(bias.size()) != p.n) {
      throw Error(codes::shape_mismatch, fmt::format("{} biases for {} columns", bias.size(), p.n));
    }
    p.bias = bias.data();
  }
  const Level& best = state.weights.level();
  std::byte* scratch = c.scratch(integer_scratch(best, p.rows, p.k));
  run_with_residual(c, 6, dims, p.residual, p.c, [&] { multiply(best, c.pool(), p, scratch); });
}

constexpr std::array kRows{
    KernelRow{.op_type = "MatMulInteger",
              .types = {DType::uint8},
              .run = run_matmul,
              .refuses = refuses_matmul,
              .prepare = prepare_matmul,
              .output_type = always<DType::int32>},
    KernelRow{.op_type = fused::kIntegerProduct,
              .types = {DType::uint8},
              .run = run_fused,
              .refuses = refuses_fused,
              .prepare = prepare_fused,
              .output_type = always<DType::float32>,
              .domain = kFusedDomain},
};

}  // namespace

KernelRows integer_product_rows() {
  return kRows;
}

}  // namespace onnxpress::exec::fast
