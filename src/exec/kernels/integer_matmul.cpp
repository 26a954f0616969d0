// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"
#include "exec/kernels/gemm.h"
#include "exec/kernels/matmul_shape.h"
#include "exec/kernels/rounding.h"

namespace onnxpress::exec {
namespace {

// Zero points and scales come as one number, as one for each row of a or column of b, or as one for
// each row or column of each matrix of a batch.
std::int64_t parameter_index(const TensorView& p, std::int64_t batch, std::int64_t line,
                             std::int64_t lines) {
  if (p.size == 1) return 0;
  return p.size == lines ? line : batch * lines + line;
}

void check_parameter(const TensorView& p, std::int64_t lines, std::int64_t batches,
                     const char* what) {
  if (p.size == 1 || p.size == lines || p.size == lines * batches) return;
  throw Error(codes::shape_mismatch,
              fmt::format("{} of shape {} for {} lines", what, to_string(p.dims), lines));
}

// The 8-bit elements minus their zero points, as 32-bit integers.
std::span<std::uint32_t> shifted(KernelContext& c, const TensorView& x, const TensorView* zero,
                                 std::int64_t rows, std::int64_t columns, bool by_column) {
  const auto out = c.scratch<std::uint32_t>(static_cast<std::size_t>(x.size));
  const std::int64_t lines = by_column ? columns : rows;
  if (zero != nullptr) {
    check_parameter(*zero, lines, x.size / std::max<std::int64_t>(1, rows * columns),
                    "a zero point");
  }
  with_type<std::uint8_t, std::int8_t>(x.dtype, [&]<class T>() {
    const auto all = x.as<T>();
    for (std::int64_t i = 0; i < x.size; ++i) {
      // The sign of int8 is meant. NOLINTNEXTLINE(bugprone-signed-char-misuse)
      std::int32_t value = all[static_cast<std::size_t>(i)];
      if (zero != nullptr) {
        const std::int64_t batch = i / (rows * columns), within = i % (rows * columns);
        const std::int64_t line = by_column ? within % columns : within / columns;
        value -=
            zero->as<T>()[static_cast<std::size_t>(parameter_index(*zero, batch, line, lines))];
      }
      out[static_cast<std::size_t>(i)] = static_cast<std::uint32_t>(value);
    }
  });
  return out;
}

const TensorView* optional_input(const KernelContext& c, std::size_t i) {
  return c.has_input(i) ? &c.input(i) : nullptr;
}

// Exact products: 32-bit sums that wrap around.
void multiply_all(KernelContext& c, const MatMulShape& s, const std::uint32_t* a,
                  const std::uint32_t* b, std::uint32_t* out) {
  for (std::int64_t i = 0; i < s.batches(); ++i) {
    multiply(c, MatrixProduct<std::uint32_t>{.m = s.m,
                                             .n = s.n,
                                             .k = s.k,
                                             .a = a + s.a_index(i) * s.m * s.k,
                                             .b = b + s.b_index(i) * s.k * s.n,
                                             .c = out + i * s.m * s.n});
  }
}

void matmul_integer(KernelContext& c) {
  const TensorView &a = c.input(0), &b = c.input(1);
  const MatMulShape s = matmul_shape(a.dims, b.dims);
  const auto left = shifted(c, a, optional_input(c, 2), s.m, s.k, false);
  const auto right = shifted(c, b, optional_input(c, 3), s.k, s.n, true);
  auto* out = reinterpret_cast<std::uint32_t*>(c.output<std::int32_t>(0, s.out).data());
  multiply_all(c, s, left.data(), right.data(), out);
}

float scale_at(const TensorView& scale, std::int64_t i) {
  float value = 0;
  with_type<float, Half, BFloat16>(
      scale.dtype, [&]<class T>() { value = widen(scale.as<T>()[static_cast<std::size_t>(i)]); });
  return value;
}

// Inputs: a, its scale and zero point; b, the same; the output's scale and zero point.
void qlinear_matmul(KernelContext& c) {
  const TensorView &a = c.input(0), &b = c.input(3);
  const TensorView &a_scale = c.input(1), &b_scale = c.input(4), &y_scale = c.input(6);
  const TensorView& y_zero = c.input(7);
  const MatMulShape s = matmul_shape(a.dims, b.dims);
  check_parameter(a_scale, s.m, s.batches(), "a scale");
  check_parameter(b_scale, s.n, s.batches(), "a scale");
  check_parameter(y_scale, s.m, s.batches(), "a scale");
  check_parameter(y_zero, s.m, s.batches(), "a zero point");
  const auto left = shifted(c, a, &c.input(2), s.m, s.k, false);
  const auto right = shifted(c, b, &c.input(5), s.k, s.n, true);
  const auto sums = c.scratch<std::uint32_t>(static_cast<std::size_t>(product(s.out)));
  multiply_all(c, s, left.data(), right.data(), sums.data());
  with_type<std::uint8_t, std::int8_t>(y_zero.dtype, [&]<class T>() {
    const auto out = c.output<T>(0, s.out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const std::int64_t batch = at / (s.m * s.n), row = at / s.n % s.m, column = at % s.n;
      const float scale =
          scale_at(a_scale, parameter_index(a_scale, s.a_index(batch), row, s.m)) *
          scale_at(b_scale, parameter_index(b_scale, s.b_index(batch), column, s.n)) /
          scale_at(y_scale, parameter_index(y_scale, batch, row, s.m));
      const auto zero = static_cast<std::int32_t>(
          y_zero.as<T>()[static_cast<std::size_t>(parameter_index(y_zero, batch, row, s.m))]);
      out[i] = rounded<T>(static_cast<float>(static_cast<std::int32_t>(sums[i])) * scale, zero);
    }
  });
}

DType qlinear_type(const NodeInfo& info, std::size_t /*output*/) {
  return info.type(7);
}

constexpr TypeSet kBytes{DType::int8, DType::uint8};

constexpr KernelRow kRows[] = {
    {.op_type = "MatMulInteger",
     .since = 10,
     .types = kBytes,
     .run = matmul_integer,
     .output_type = always<DType::int32>},
    {.op_type = "QLinearMatMul",
     .since = 10,
     .types = kBytes,
     .run = qlinear_matmul,
     .output_type = qlinear_type},
};

}  // namespace

KernelRows integer_matmul_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
