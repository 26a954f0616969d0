// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Core>

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

// With J the reversal of rows, J·h·J = l·lᵀ gives h = (J·l·J)(J·l·J)ᵀ, whose first factor is upper
// triangular; its inverse is u.
bool inverse_factor(double* h, std::int64_t k, float* u) {
  View<double> view(h, k, k);
  RowMajor<double> reversed = view.reverse();
  const Eigen::LLT<Eigen::Ref<RowMajor<double>>, Eigen::Lower> factor(reversed);
  if (factor.info() != Eigen::Success) return false;
  view.setIdentity();
  factor.matrixL().solveInPlace(view);
  const RowMajor<double> inverse = view.reverse();
  View<float>(u, k, k) = inverse.triangularView<Eigen::Upper>().toDenseMatrix().cast<float>();
  return View<float>(u, k, k).allFinite();
}

bool solve(double* h, std::int64_t k, double* b, std::int64_t n) {
  View<double> view(h, k, k);
  const Eigen::LLT<Eigen::Ref<RowMajor<double>>, Eigen::Lower> factor(view);
  if (factor.info() != Eigen::Success) return false;
  View<double> x(b, k, n);
  factor.solveInPlace(x);
  return x.allFinite();
}

}  // namespace
}  // namespace onnxpress::dense
