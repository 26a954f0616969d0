// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "exec/kernels/elementwise.h"
#include "exec/kernels/families.h"
#include "exec/kernels/gemm.h"
#include "exec/kernels/matmul_shape.h"

namespace onnxpress::exec {
namespace {

// The type to multiply in: float for 16-bit floats, unsigned integers for integers.
template <class T>
struct ProductType {
  using type = Wide<T>;
};
template <class T>
requires std::is_integral_v<T>
struct ProductType<T> {
  using type = std::make_unsigned_t<T>;
};
template <class T>
using ProductOf = typename ProductType<T>::type;

// The elements in the type to multiply in; in scratch memory where they have to be converted.
template <class T>
const ProductOf<T>* operand(KernelContext& c, const TensorView& x) {
  if constexpr (std::is_integral_v<T>) {
    return reinterpret_cast<const ProductOf<T>*>(x.as<T>().data());
  } else if constexpr (kIsWide<T>) {
    return x.as<T>().data();
  } else {
    const auto wide = c.scratch<float>(static_cast<std::size_t>(x.size));
    std::ranges::transform(x.as<T>(), wide.begin(), [](T e) { return widen(e); });
    return wide.data();
  }
}

template <class T>
ProductOf<T>* result(KernelContext& c, std::span<T> out) {
  if constexpr (std::is_integral_v<T>) {
    return reinterpret_cast<ProductOf<T>*>(out.data());
  } else if constexpr (kIsWide<T>) {
    return out.data();
  } else {
    return c.scratch<float>(out.size()).data();
  }
}

template <class T>
void finish(const ProductOf<T>* computed, std::span<T> out) {
  if constexpr (!std::is_integral_v<T> && !kIsWide<T>) {
    std::transform(computed, computed + out.size(), out.begin(),
                   [](float e) { return narrow<T>(e); });
  }
}

template <class T>
void matmul(KernelContext& c) {
  const TensorView &a = c.input(0), &b = c.input(1);
  MatMulShape s = matmul_shape(a.dims, b.dims);
  const ProductOf<T>*left = operand<T>(c, a), *right = operand<T>(c, b);
  const auto out = c.output<T>(0, s.out);
  ProductOf<T>* to = result(c, out);
  std::int64_t batches = s.batches();
  // With one right matrix for all, the left ones are rows of one tall matrix.
  if (product(s.b_batch) == 1 && a.rank() > 1) {
    s.m = s.k == 0 ? s.m * batches : a.size / s.k;
    batches = s.m == 0 ? 0 : 1;
  }
  const auto one = [&](std::int64_t i) {
    multiply(c,
             MatrixProduct<ProductOf<T>>{.m = s.m,
                                         .n = s.n,
                                         .k = s.k,
                                         .a = left + (batches == 1 ? 0 : s.a_index(i)) * s.m * s.k,
                                         .b = right + (batches == 1 ? 0 : s.b_index(i)) * s.k * s.n,
                                         .c = to + i * s.m * s.n});
  };
  if (batches == 1) {
    one(0);
  } else {
    c.parallel_for(batches, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) one(i);
    });
  }
  finish<T>(to, out);
}

template <class Body>
void with_product_type(DType dtype, const Body& body) {
  with_type<float, Half, BFloat16, double, std::int32_t, std::int64_t, std::uint32_t,
            std::uint64_t>(dtype, body);
}

void matmul(KernelContext& c) {
  with_product_type(c.input(0).dtype, [&]<class T>() { matmul<T>(c); });
}

// y = alpha · a · b + beta · c, where c broadcasts.
template <class T>
void gemm(KernelContext& c) {
  using P = ProductOf<T>;
  const TensorView &a = c.input(0), &b = c.input(1);
  const bool a_t = c.get_int("transA", 0) != 0, b_t = c.get_int("transB", 0) != 0;
  if (a.rank() != 2 || b.rank() != 2 || a.dims[a_t ? 0 : 1] != b.dims[b_t ? 1 : 0]) {
    throw Error(codes::shape_mismatch,
                fmt::format("can't multiply {}{} by {}{}", to_string(a.dims), a_t ? "ᵀ" : "",
                            to_string(b.dims), b_t ? "ᵀ" : ""));
  }
  const Extents dims{a.dims[a_t ? 1 : 0], b.dims[b_t ? 0 : 1]};
  const P *left = operand<T>(c, a), *right = operand<T>(c, b);
  const bool has_bias = c.has_input(2);
  const P* bias = has_bias ? operand<T>(c, c.input(2)) : nullptr;
  const auto out = c.output<T>(0, dims);
  P* to = result(c, out);
  multiply(c, MatrixProduct<P>{.m = dims[0],
                               .n = dims[1],
                               .k = a.dims[a_t ? 0 : 1],
                               .a = left,
                               .b = right,
                               .c = to,
                               .a_transposed = a_t,
                               .b_transposed = b_t});
  const float alpha = c.get_float("alpha", 1), beta = c.get_float("beta", 1);
  if (alpha != 1) {
    for (std::size_t i = 0; i < out.size(); ++i)
      to[i] = static_cast<P>(to[i] * static_cast<P>(alpha));
  }
  if (has_bias && beta != 0) {
    const Broadcast walk(dims, {&c.input(2).dims});
    const std::int64_t step = walk.inner_stride(0);
    walk.visit(0, walk.size(),
               [&](std::int64_t at, const Broadcast::Offsets& from, std::int64_t n) {
                 for (std::int64_t i = 0; i < n; ++i)
                   to[at + i] += static_cast<P>(beta) * bias[from[0] + i * step];
               });
  }
  finish<T>(to, out);
}

void gemm(KernelContext& c) {
  with_product_type(c.input(0).dtype, [&]<class T>() { gemm<T>(c); });
}

// Integers are multiplied by whole factors only.
std::optional<std::string> refuse_fractions(const NodeInfo& info) {
  if (!is_integer(info.type(0))) return std::nullopt;
  for (const char* factor : {"alpha", "beta"}) {
    const float value = info.node.attributes.get_float(factor, 1);
    if (value != 1) return fmt::format("integers with {} = {}", factor, value);
  }
  return std::nullopt;
}

constexpr TypeSet kMultiplied =
    kFloats | TypeSet{DType::int32, DType::int64, DType::uint32, DType::uint64};

constexpr KernelRow kRows[] = {
    {.op_type = "MatMul", .types = kMultiplied, .run = matmul},
    {.op_type = "Gemm", .since = 7, .types = kMultiplied, .run = gemm, .refuses = refuse_fractions},
};

}  // namespace

KernelRows matmul_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
