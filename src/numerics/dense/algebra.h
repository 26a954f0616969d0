// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <atomic>

#include "numerics/dense/level.h"

// Products and factorisations, by Eigen. Each file that includes this is compiled with a name of
// its own for the namespace Eigen: its templates are weak symbols, and the linker would keep those
// of one level for all.
namespace onnxpress::dense {
namespace {

template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using View = Eigen::Map<RowMajor<T>>;
template <class T>
using ConstView = Eigen::Map<const RowMajor<T>>;

template <class T>
void multiply(const T* a, const T* b, T* c, std::int64_t m, std::int64_t k, std::int64_t n) {
  View<T>(c, m, n).noalias() = ConstView<T>(a, m, k) * ConstView<T>(b, k, n);
}

void add_products(const float* a, const float* b, std::int64_t rows, std::int64_t k,
                  std::int64_t begin, std::int64_t end, std::int64_t first, double* c) {
  const RowMajor<float> part =
      ConstView<float>(a, rows, k).middleCols(begin, end - begin).transpose() *
      ConstView<float>(b, rows, k).rightCols(k - first);
  View<double>(c, k, k).block(begin, first, end - begin, k - first) += part.cast<double>();
}

// h = l·lᵀ in place, l in the lower triangle. Blocks of columns from left to right; what lies to
// the right of a block is brought up to date before the next one is factored.
bool cholesky(double* h, std::int64_t k, ThreadPool& pool) {
  constexpr std::int64_t kBlock = 96;
  constexpr std::int64_t kRows = 128;
  View<double> all(h, k, k);
  for (std::int64_t begin = 0; begin < k; begin += kBlock) {
    const std::int64_t width = std::min(kBlock, k - begin);
    const std::int64_t below = begin + width;
    auto corner = all.block(begin, begin, width, width);
    Eigen::LLT<Eigen::Ref<RowMajor<double>, 0, Eigen::OuterStride<>>, Eigen::Lower> factor(corner);
    if (factor.info() != Eigen::Success) return false;
    pool.parallel_for(k - below, kRows, [&](std::int64_t first, std::int64_t last) {
      auto rows = all.block(below + first, begin, last - first, width);
      corner.template triangularView<Eigen::Lower>()
          .transpose()
          .template solveInPlace<Eigen::OnTheRight>(rows);
    });
    pool.parallel_for(k - below, kRows, [&](std::int64_t first, std::int64_t last) {
      all.block(below + first, below, last - first, last).noalias() -=
          all.block(below + first, begin, last - first, width) *
          all.block(below, begin, last, width).transpose();
    });
  }
  return true;
}

// With J the reversal of rows, J·h·J = l·lᵀ gives h = (J·l·J)(J·l·J)ᵀ, whose first factor is upper
// triangular; its inverse J·l⁻¹·J is u.
bool inverse_factor(double* h, std::int64_t k, float* u, ThreadPool& pool) {
  constexpr std::int64_t kColumns = 64;
  std::reverse(h, h + k * k);
  if (!cholesky(h, k, pool)) return false;
  std::fill(u, u + k * k, 0.0F);
  std::atomic<bool> finite = true;
  pool.parallel_for(k, kColumns, [&](std::int64_t begin, std::int64_t end) {
    RowMajor<double> part = RowMajor<double>::Identity(k - begin, end - begin);
    ConstView<double>(h, k, k)
        .bottomRightCorner(k - begin, k - begin)
        .triangularView<Eigen::Lower>()
        .solveInPlace(part);
    if (!part.template cast<float>().allFinite()) finite = false;
    for (std::int64_t i = begin; i < k; ++i) {
      for (std::int64_t j = begin; j < std::min(end, i + 1); ++j) {
        u[(k - 1 - i) * k + (k - 1 - j)] = static_cast<float>(part(i - begin, j - begin));
      }
    }
  });
  return finite;
}

// Solves l·lᵀ·x = b in place of b [k, n].
void solve_factored(const double* l, std::int64_t k, double* b, std::int64_t n, ThreadPool& pool) {
  constexpr std::int64_t kColumns = 64;
  const auto lower = ConstView<double>(l, k, k).triangularView<Eigen::Lower>();
  pool.parallel_for(n, kColumns, [&](std::int64_t begin, std::int64_t end) {
    RowMajor<double> x = View<double>(b, k, n).middleCols(begin, end - begin);
    lower.solveInPlace(x);
    lower.transpose().solveInPlace(x);
    View<double>(b, k, n).middleCols(begin, end - begin) = x;
  });
}

}  // namespace
}  // namespace onnxpress::dense
