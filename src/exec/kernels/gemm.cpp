// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/gemm.h"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>
#include <algorithm>

namespace onnxpress::exec {
namespace {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using Input = Eigen::Map<const Matrix<T>>;

// Rows that are computed at a time. A function of the size alone, so that the number of threads
// changes nothing.
std::int64_t block_rows(std::int64_t m) {
  return std::clamp<std::int64_t>((m / 4 + 15) / 16 * 16, 16, 256);
}

template <class T>
void multiply_floats(KernelContext& context, const MatrixProduct<T>& p) {
  const Input<T> b(p.b, p.b_transposed ? p.n : p.k, p.b_transposed ? p.k : p.n);
  const Input<T> a(p.a, p.a_transposed ? p.k : p.m, p.a_transposed ? p.m : p.k);
  context.parallel_for(p.m, block_rows(p.m), [&](std::int64_t begin, std::int64_t end) {
    Eigen::Map<Matrix<T>> out(p.c + begin * p.n, end - begin, p.n);
    if (p.a_transposed) {
      const auto rows = a.middleCols(begin, end - begin).transpose();
      if (p.b_transposed) {
        out.noalias() = rows * b.transpose();
      } else {
        out.noalias() = rows * b;
      }
    } else {
      const auto rows = a.middleRows(begin, end - begin);
      if (p.b_transposed) {
        out.noalias() = rows * b.transpose();
      } else {
        out.noalias() = rows * b;
      }
    }
  });
}

template <class T>
void multiply_integers(KernelContext& context, const MatrixProduct<T>& p) {
  const std::int64_t a_row = p.a_transposed ? 1 : p.k, a_column = p.a_transposed ? p.m : 1;
  const std::int64_t b_row = p.b_transposed ? 1 : p.n, b_column = p.b_transposed ? p.k : 1;
  context.parallel_for(p.m, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      T* out = p.c + i * p.n;
      std::fill_n(out, p.n, T{0});
      for (std::int64_t k = 0; k < p.k; ++k) {
        const T factor = p.a[i * a_row + k * a_column];
        const T* row = p.b + k * b_row;
        for (std::int64_t j = 0; j < p.n; ++j) out[j] += factor * row[j * b_column];
      }
    }
  });
}

}  // namespace

void multiply(KernelContext& context, const MatrixProduct<float>& p) {
  multiply_floats(context, p);
}
void multiply(KernelContext& context, const MatrixProduct<double>& p) {
  multiply_floats(context, p);
}
void multiply(KernelContext& context, const MatrixProduct<std::uint32_t>& p) {
  multiply_integers(context, p);
}
void multiply(KernelContext& context, const MatrixProduct<std::uint64_t>& p) {
  multiply_integers(context, p);
}

}  // namespace onnxpress::exec
