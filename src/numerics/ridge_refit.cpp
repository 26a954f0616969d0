// SPDX-License-Identifier: Apache-2.0
#include "numerics/ridge_refit.h"

#include <cmath>

#include "numerics/dense/level.h"

namespace onnxpress {

Matrix ridge_refit(const Matrix& w, const PairGram& moments, double strength, bool centred,
                   ThreadPool& pool) {
  const std::int64_t k = w.rows;
  const std::int64_t n = w.columns;
  if (moments.edited.rows == 0) return w;
  const auto rows = static_cast<double>(moments.edited.rows);
  std::vector<double> h = moments.edited.xx;
  std::vector<double> cross = moments.cross.xy;
  if (centred) {
    for (std::int64_t i = 0; i < k; ++i) {
      const double mean = moments.edited.sum[static_cast<std::size_t>(i)] / rows;
      for (std::int64_t j = 0; j < k; ++j) {
        const auto at = static_cast<std::size_t>(i * k + j);
        h[at] -= mean * moments.edited.sum[static_cast<std::size_t>(j)];
        cross[at] -= mean * moments.original.sum[static_cast<std::size_t>(j)];
      }
    }
  }
  double lambda = 0;
  for (std::int64_t i = 0; i < k; ++i) lambda += h[static_cast<std::size_t>(i * k + i)];
  lambda *= strength / static_cast<double>(k);
  if (!(lambda > 0) || !std::isfinite(lambda)) return w;
  for (std::int64_t i = 0; i < k; ++i) h[static_cast<std::size_t>(i * k + i)] += lambda;

  const std::vector<double> weights(w.values.begin(), w.values.end());
  std::vector<double> x(weights.size());
  pool.parallel_for(k, 64, [&](std::int64_t begin, std::int64_t end) {
    dense::level().multiply_double(cross.data() + begin * k, weights.data(), x.data() + begin * n,
                                   end - begin, k, n);
  });
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += lambda * weights[i];
  if (!dense::level().solve(h.data(), k, x.data(), n)) return w;
  Matrix result(k, n);
  for (std::size_t i = 0; i < x.size(); ++i) {
    result.values[i] = static_cast<float>(x[i]);
    if (!std::isfinite(result.values[i])) return w;
  }
  return result;
}

}  // namespace onnxpress
