// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>

#include "exec/kernel.h"
#include "exec/kernels/broadcast.h"
#include "exec/kernels/dispatch.h"

// The loops of operators that compute each element from elements at the same place. An operator is
// a type with a static function: struct Negate { template <class T> static T apply(T x); }.
namespace onnxpress::exec {

inline constexpr std::int64_t kElementwiseChunk = 1 << 14;
inline constexpr std::size_t kBlock = 256;  // elements that the 16-bit types are widened at a time

template <class T, class R, class Apply>
void map_block(const T* x, R* y, std::int64_t count, const Apply& apply) {
  if constexpr (kIsWide<T> && kIsWide<R>) {
    for (std::int64_t i = 0; i < count; ++i) y[i] = apply(x[i]);
  } else {
    for (std::int64_t i = 0; i < count; ++i) y[i] = narrow<R>(apply(widen(x[i])));
  }
}

// y[i] = apply(x[i]) over the whole tensor.
template <class T, class R = T, class Apply>
void map_elements(KernelContext& c, const Apply& apply) {
  const TensorView& x = c.input(0);
  const T* from = x.as<T>().data();
  R* to = c.output<R>(0, x.dims).data();
  c.parallel_for(x.size, kElementwiseChunk, [&](std::int64_t begin, std::int64_t end) {
    map_block(from + begin, to + begin, end - begin, apply);
  });
}

// An inner loop over operands that either advance or stay.
template <class Op, class T, class R>
void binary_row(const T* a, std::int64_t a_step, const T* b, std::int64_t b_step, R* out,
                std::int64_t count) {
  if constexpr (kIsWide<T>) {
    if (a_step == 1 && b_step == 1) {
      for (std::int64_t i = 0; i < count; ++i) out[i] = Op::apply(a[i], b[i]);
    } else if (b_step == 0) {
      const T right = *b;
      for (std::int64_t i = 0; i < count; ++i) out[i] = Op::apply(a[i * a_step], right);
    } else {
      const T left = *a;
      for (std::int64_t i = 0; i < count; ++i) out[i] = Op::apply(left, b[i]);
    }
  } else {
    std::array<float, kBlock> wide_a, wide_b;
    std::array<std::conditional_t<kIsWide<R>, R, float>, kBlock> wide_out;
    for (std::int64_t done = 0; done < count; done += static_cast<std::int64_t>(kBlock)) {
      const std::int64_t part = std::min<std::int64_t>(kBlock, count - done);
      for (std::int64_t i = 0; i < part; ++i) {
        wide_a[static_cast<std::size_t>(i)] = widen(a[(done + i) * a_step]);
        wide_b[static_cast<std::size_t>(i)] = widen(b[(done + i) * b_step]);
      }
      binary_row<Op>(wide_a.data(), 1, wide_b.data(), 1, wide_out.data(), part);
      for (std::int64_t i = 0; i < part; ++i) {
        out[done + i] = narrow<R>(wide_out[static_cast<std::size_t>(i)]);
      }
    }
  }
}

// out = Op(a, b) where out has the shape `dims` that both broadcast to. out may be a or b.
template <class Op, class T, class R>
void binary_elements(KernelContext& c, const T* a, const Extents& a_dims, const T* b,
                     const Extents& b_dims, R* out, const Extents& dims) {
  const Broadcast walk(dims, {&a_dims, &b_dims});
  c.parallel_for(walk.size(), kElementwiseChunk, [&](std::int64_t begin, std::int64_t end) {
    walk.visit(begin, end, [&](std::int64_t at, const Broadcast::Offsets& from, std::int64_t n) {
      binary_row<Op>(a + from[0], walk.inner_stride(0), b + from[1], walk.inner_stride(1), out + at,
                     n);
    });
  });
}

// Inputs 0 and 1 of one type T to output 0 of type R.
template <class Op, class T, class R = T>
void binary(KernelContext& c) {
  const TensorView &a = c.input(0), &b = c.input(1);
  const Extents dims = broadcast_shape(a.dims, b.dims);
  const T *left = a.as<T>().data(), *right = b.as<T>().data();
  binary_elements<Op>(c, left, a.dims, right, b.dims, c.output<R>(0, dims).data(), dims);
}

}  // namespace onnxpress::exec
