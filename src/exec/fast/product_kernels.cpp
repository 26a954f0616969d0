// SPDX-License-Identifier: Apache-2.0
// f32 matrix products whose second factor is constant: MatMul, Gemm and fused ones.
#include <fmt/format.h>

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

struct ProductState final : KernelState {
  ProductState(PackedFloats packed, Activation function)
      : weights(std::move(packed)), activation(function) {}
  PackedFloats weights;
  Activation activation;
};

std::unique_ptr<KernelState> pack(const NodeInfo& info, bool transposed, Activation activation) {
  const Tensor& w = *info.constant(1);
  const std::int64_t rows = w.dims()[0];
  const std::int64_t columns = w.dims()[1];
  const Level& best = level(info.instruction_set);
  if (transposed) {
    return std::make_unique<ProductState>(
        PackedFloats(best, w.as<float>(), {1, columns}, columns, rows), activation);
  }
  return std::make_unique<ProductState>(
      PackedFloats(best, w.as<float>(), {columns, 1}, rows, columns), activation);
}

std::optional<std::string> refuses_weights(const NodeInfo& info) {
  const Tensor* w = info.constant(1);
  if (w == nullptr || w->rank() != 2) return "a second factor that is no constant matrix";
  if (w->dtype() != DType::float32) return "a second factor of another type";
  return std::nullopt;
}

std::unique_ptr<KernelState> prepare_matmul(const NodeInfo& info) {
  return pack(info, false, Activation::none);
}

std::unique_ptr<KernelState> prepare_product(const NodeInfo& info) {
  return pack(info, info.node.attributes.get_int("transposed", 0) != 0, activation_of(info.node));
}

// C must be a vector over the columns, which the product adds by itself.
std::optional<std::string> refuses_gemm(const NodeInfo& info) {
  if (auto reason = refuses_weights(info)) return reason;
  const Attributes& a = info.node.attributes;
  if (a.get_float("alpha", 1) != 1 || a.get_int("transA", 0) != 0) return "scaled or transposed A";
  if (!info.has_input(2)) return std::nullopt;
  if (a.get_float("beta", 1) != 1) return "scaled C";
  const Tensor* c = info.constant(2);
  const std::int64_t n = info.constant(1)->dims()[a.get_int("transB", 0) != 0 ? 0 : 1];
  if (c == nullptr || c->dtype() != DType::float32 || c->size() != n || c->rank() == 0 ||
      c->dims().back() != n) {
    return "C is no constant vector over the columns";
  }
  return std::nullopt;
}

std::unique_ptr<KernelState> prepare_gemm(const NodeInfo& info) {
  return pack(info, info.node.attributes.get_int("transB", 0) != 0, Activation::none);
}

void run_product(KernelContext& c) {
  const auto& state = c.state<ProductState>();
  const PackedFloats& w = state.weights;
  const TensorView& x = c.input(0);
  if (x.rank() == 0 || x.dims.back() != w.k()) {
    throw Error(codes::shape_mismatch,
                fmt::format("{} × [{}, {}] do not fit together", to_string(x.dims), w.k(), w.n()));
  }
  Extents dims = x.dims;
  dims[dims.size() - 1] = w.n();
  FloatProduct p;
  p.a = x.as<float>().data();
  p.a_stride = p.k = w.k();
  p.b = w.data();
  p.n = w.n();
  p.c_stride = p.residual_stride = p.n;
  p.rows = product(dims, 0, dims.size() - 1);
  p.activation = state.activation;
  if (c.has_input(2)) {
    const auto bias = c.input(2).as<float>();
    if (static_cast<std::int64_t>(bias.size()) != p.n) {
      throw Error(codes::shape_mismatch, fmt::format("{} biases for {} columns", bias.size(), p.n));
    }
    p.bias = bias.data();
  }
  run_with_residual(c, 3, dims, p.residual, p.c, [&] { multiply(w.level(), c.pool(), p); });
}

constexpr std::array kRows{
    KernelRow{.op_type = "MatMul",
              .types = kFloat32,
              .run = run_product,
              .refuses = refuses_weights,
              .prepare = prepare_matmul},
    KernelRow{.op_type = "Gemm",
              .types = kFloat32,
              .run = run_product,
              .refuses = refuses_gemm,
              .prepare = prepare_gemm},
    KernelRow{.op_type = fused::kProduct,
              .types = kFloat32,
              .run = run_product,
              .refuses = refuses_weights,
              .prepare = prepare_product,
              .domain = kFusedDomain},
};

}  // namespace

KernelRows product_rows() {
  return kRows;
}

}  // namespace onnxpress::exec::fast
