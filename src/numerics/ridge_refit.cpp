// SPDX-License-Identifier: Apache-2.0
#include "numerics/ridge_refit.h"

#include <cmath>

#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kRows = 64;  // that a thread works on at a time

}  // namespace

RidgeRefit::RidgeRefit(const PairGram& moments, double strength, bool centred, ThreadPool& pool) {
  const std::int64_t k = moments.edited.size;
  if (moments.edited.rows == 0) return;
  const auto rows = static_cast<double>(moments.edited.rows);
  factor_ = moments.edited.xx;
  pull_.resize(factor_.size());
  pool.parallel_for(k, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double mean = centred ? moments.edited.sum[static_cast<std::size_t>(i)] / rows : 0;
      for (std::int64_t j = 0; j < k; ++j) {
        const auto at = static_cast<std::size_t>(i * k + j);
        const auto column = static_cast<std::size_t>(j);
        const double sum = moments.edited.sum[column];
        pull_[at] = static_cast<float>(moments.cross.xy[at] - factor_[at] -
                                       mean * (moments.original.sum[column] - sum));
        factor_[at] -= mean * sum;
      }
    }
  });
  double lambda = 0;
  for (std::int64_t i = 0; i < k; ++i) lambda += factor_[static_cast<std::size_t>(i * k + i)];
  lambda *= strength / static_cast<double>(k);
  if (!(lambda > 0) || !std::isfinite(lambda)) return;
  for (std::int64_t i = 0; i < k; ++i) factor_[static_cast<std::size_t>(i * k + i)] += lambda;
  usable_ = dense::level().cholesky(factor_.data(), k, pool);
}

Matrix RidgeRefit::refit(const Matrix& w, ThreadPool& pool) const {
  if (!usable_) return w;
  Matrix pulled(w.rows, w.columns);
  pool.parallel_for(w.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    dense::level().multiply(pull_.data() + begin * w.rows, w.values.data(), pulled.row(begin),
                            end - begin, w.rows, w.columns);
  });
  std::vector<double> change(pulled.values.begin(), pulled.values.end());
  dense::level().solve_factored(factor_.data(), w.rows, change.data(), w.columns, pool);
  for (std::size_t i = 0; i < change.size(); ++i) {
    pulled.values[i] = static_cast<float>(w.values[i] + change[i]);
    if (!std::isfinite(pulled.values[i])) return w;
  }
  return pulled;
}

}  // namespace onnxpress
