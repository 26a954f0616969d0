// SPDX-License-Identifier: Apache-2.0
#include "numerics/output_error.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

std::vector<double> in_double(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// tr(aᵀ·m·b) with m [k, k]; a and b are [k, n].
double trace(const std::vector<double>& a, const std::vector<double>& m,
             const std::vector<double>& b, std::int64_t k, std::int64_t n, ThreadPool& pool) {
  constexpr std::int64_t kRows = 64;
  const std::int64_t chunks = (k + kRows - 1) / kRows;
  std::vector<double> sums(static_cast<std::size_t>(chunks));
  pool.parallel_for(k, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += kRows) {
      const std::int64_t rows = std::min(kRows, end - at);
      std::vector<double> part(static_cast<std::size_t>(rows * n));
      dense::level().multiply_double(m.data() + at * k, b.data(), part.data(), rows, k, n);
      double sum = 0;
      for (std::size_t i = 0; i < part.size(); ++i) {
        sum += part[i] * a[static_cast<std::size_t>(at * n) + i];
      }
      sums[static_cast<std::size_t>(at / kRows)] = sum;
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

double ratio(double error, double signal) {
  if (error <= 0) return 0;
  return std::sqrt(error / std::max(signal, std::numeric_limits<double>::min()));
}

// sumᵀ · w, [n]
std::vector<double> times(const std::vector<double>& sum, const std::vector<double>& w,
                          std::size_t n) {
  std::vector<double> result(n);
  for (std::size_t j = 0; j < sum.size(); ++j) {
    for (std::size_t o = 0; o < n; ++o) result[o] += sum[j] * w[j * n + o];
  }
  return result;
}

}  // namespace

double output_error(const Matrix& w, const Matrix& q, const Gram& gram, ThreadPool& pool) {
  const std::vector<double> weights = in_double(w.values);
  std::vector<double> error = weights;
  for (std::size_t i = 0; i < error.size(); ++i) error[i] -= q.values[i];
  return ratio(trace(error, gram.xx, error, w.rows, w.columns, pool),
               trace(weights, gram.xx, weights, w.rows, w.columns, pool));
}

PairError pair_error(const Matrix& w, const Matrix& q, const PairGram& moments,
                     std::span<const float> change, ThreadPool& pool) {
  const std::int64_t k = w.rows;
  const std::int64_t n = w.columns;
  const std::vector<double> weights = in_double(w.values);
  const std::vector<double> codes = in_double(q.values);
  const double signal = trace(weights, moments.original.xx, weights, k, n, pool);
  const double error = signal - 2 * trace(codes, moments.cross.xy, weights, k, n, pool) +
                       trace(codes, moments.edited.xx, codes, k, n, pool);
  PairError result;
  const auto rows = static_cast<double>(std::max<std::int64_t>(moments.edited.rows, 1));
  const auto before = times(moments.original.sum, weights, static_cast<std::size_t>(n));
  const auto after = times(moments.edited.sum, codes, static_cast<std::size_t>(n));
  double removed = 0;
  double changed = 0;
  for (std::size_t o = 0; o < before.size(); ++o) {
    const double mean = (before[o] - after[o]) / rows;
    result.mean.push_back(static_cast<float>(mean));
    removed += mean * mean * rows;
    if (!change.empty()) changed += rows * change[o] * (change[o] - 2 * mean);
  }
  result.relative = ratio(error, signal);
  result.unbiased = ratio(error - removed, signal);
  result.with_change = ratio(error + changed, signal);
  return result;
}

double sqnr_db(const Matrix& w, const Matrix& q) {
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < w.values.size(); ++i) {
    const double difference = static_cast<double>(w.values[i]) - q.values[i];
    signal += static_cast<double>(w.values[i]) * w.values[i];
    noise += difference * difference;
  }
  return 10 * std::log10(signal / noise);
}

}  // namespace onnxpress
