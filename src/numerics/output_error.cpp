// SPDX-License-Identifier: Apache-2.0
#include "numerics/output_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

// tr(aᵀ·m·b) with m [k, k]; a and b are [k, n].
double trace(const Matrix& a, const float* m, const Matrix& b, ThreadPool& pool) {
  constexpr std::int64_t kRows = 64;
  const std::int64_t k = a.rows;
  const std::int64_t n = a.columns;
  std::vector<double> sums(static_cast<std::size_t>((k + kRows - 1) / kRows));
  pool.parallel_for(k, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += kRows) {
      const std::int64_t rows = std::min(kRows, end - at);
      std::vector<float> part(static_cast<std::size_t>(rows * n));
      dense::level().multiply(m + at * k, b.values.data(), part.data(), rows, k, n);
      double sum = 0;
      for (std::size_t i = 0; i < part.size(); ++i) {
        sum += static_cast<double>(part[i]) * a.values[static_cast<std::size_t>(at * n) + i];
      }
      sums[static_cast<std::size_t>(at / kRows)] = sum;
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

std::vector<float> in_float(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

Matrix difference(const Matrix& w, const Matrix& q) {
  Matrix result = w;
  for (std::size_t i = 0; i < result.values.size(); ++i) result.values[i] -= q.values[i];
  return result;
}

double ratio(double error, double signal) {
  if (error <= 0) return 0;
  return std::sqrt(error / std::max(signal, std::numeric_limits<double>::min()));
}

// sumᵀ · w, [n]
std::vector<double> times(const std::vector<double>& sum, const Matrix& w) {
  std::vector<double> result(static_cast<std::size_t>(w.columns));
  for (std::int64_t j = 0; j < w.rows; ++j) {
    const double factor = sum[static_cast<std::size_t>(j)];
    const float* row = w.row(j);
    for (std::size_t o = 0; o < result.size(); ++o) {
      result[o] += factor * static_cast<double>(row[o]);
    }
  }
  return result;
}

}  // namespace

double output_error(const Matrix& w, const Matrix& q, const Gram& gram, ThreadPool& pool) {
  const std::vector<float> moments = in_float(gram.xx);
  const Matrix error = difference(w, q);
  return ratio(trace(error, moments.data(), error, pool), trace(w, moments.data(), w, pool));
}

PairJudge::PairJudge(const PairGram& moments)
    : edited_(in_float(moments.edited.xx)),
      original_(in_float(moments.original.xx)),
      pull_(edited_.size()),
      drift_(edited_.size()),
      sum_(moments.edited.sum),
      sum_drift_(sum_.size()),
      rows_(static_cast<double>(std::max<std::int64_t>(moments.edited.rows, 1))) {
  const auto k = static_cast<std::size_t>(moments.edited.size);
  const std::vector<double>& edited = moments.edited.xx;
  const std::vector<double>& cross = moments.cross.xy;
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t j = 0; j < k; ++j) {
      const std::size_t at = i * k + j;
      pull_[at] = static_cast<float>(cross[at] - edited[at]);
      drift_[at] =
          static_cast<float>(moments.original.xx[at] - cross[at] - cross[j * k + i] + edited[at]);
    }
    sum_drift_[i] = moments.original.sum[i] - sum_[i];
  }
}

PairJudge::Target PairJudge::target(const Matrix& w, ThreadPool& pool) const {
  Target target{Matrix(w.rows, w.columns), trace(w, original_.data(), w, pool),
                std::max(trace(w, drift_.data(), w, pool), 0.0), times(sum_drift_, w)};
  pool.parallel_for(w.rows, 64, [&](std::int64_t begin, std::int64_t end) {
    dense::level().multiply(pull_.data() + begin * w.rows, w.values.data(), target.pull.row(begin),
                            end - begin, w.rows, w.columns);
  });
  return target;
}

PairError PairJudge::error(const Target& target, const Matrix& w, const Matrix& q,
                           std::span<const float> change, ThreadPool& pool) const {
  const Matrix e = difference(w, q);
  const double own = std::max(trace(e, edited_.data(), e, pool), 0.0);
  double both = 0;
  for (std::size_t i = 0; i < e.values.size(); ++i) {
    both += static_cast<double>(e.values[i]) * static_cast<double>(target.pull.values[i]);
  }
  const double error = target.drift + 2 * both + own;
  PairError result;
  double changed = 0;
  if (!change.empty()) {
    const std::vector<double> rounding = times(sum_, e);
    for (std::size_t o = 0; o < rounding.size(); ++o) {
      const double mean = (target.mean_drift[o] + rounding[o]) / rows_;
      const auto moved = static_cast<double>(change[o]);
      changed += rows_ * moved * (moved - 2 * mean);
    }
  }
  result.relative = ratio(error, target.signal);
  result.with_change = ratio(error + changed, target.signal);
  result.rounding = ratio(own, target.signal);
  return result;
}

std::vector<float> mean_error(const Matrix& w, const Matrix& q, const PairGram& moments) {
  const std::vector<double> before = times(moments.original.sum, w);
  const std::vector<double> after = times(moments.edited.sum, q);
  const auto rows = static_cast<double>(std::max<std::int64_t>(moments.edited.rows, 1));
  std::vector<float> mean(before.size());
  for (std::size_t o = 0; o < mean.size(); ++o) {
    mean[o] = static_cast<float>((before[o] - after[o]) / rows);
  }
  return mean;
}

double decibels(double signal, double noise) {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

double sqnr_db(const Matrix& w, const Matrix& q) {
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < w.values.size(); ++i) {
    const double difference = static_cast<double>(w.values[i]) - q.values[i];
    signal += static_cast<double>(w.values[i]) * w.values[i];
    noise += difference * difference;
  }
  return decibels(signal, noise);
}

double sqnr_db(const WeightRef& w, const QuantizedMatrix& q, ThreadPool& pool) {
  constexpr std::int64_t kRows = 64;
  const std::int64_t columns = w.columns();
  std::vector<double> signals(static_cast<std::size_t>((w.rows() + kRows - 1) / kRows));
  std::vector<double> noises(signals.size());
  pool.parallel_for(w.rows(), kRows, [&](std::int64_t begin, std::int64_t end) {
    const dense::Level& level = dense::level();
    const std::vector<float> zero(static_cast<std::size_t>(columns));
    std::vector<float> row(zero.size());
    std::vector<float> rounded(zero.size());
    const auto at = static_cast<std::size_t>(begin / kRows);
    for (std::int64_t i = begin; i < end; ++i) {
      const UnalignedFloat* exact = floats_at(w, i * columns, columns, row.data());
      dequantize_row(q, i, rounded.data());
      signals[at] += level.squared_distance(exact, zero.data(), columns);
      noises[at] += level.squared_distance(exact, rounded.data(), columns);
    }
  });
  return decibels(std::accumulate(signals.begin(), signals.end(), 0.0),
                  std::accumulate(noises.begin(), noises.end(), 0.0));
}

}  // namespace onnxpress
