// SPDX-License-Identifier: Apache-2.0
#include "numerics/block_obs.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kRows = 64;  // that a thread works on at a time

std::vector<float> to_floats(const std::vector<double>& values) {
  std::vector<float> floats(values.size());
  std::ranges::transform(values, floats.begin(), [](double x) { return static_cast<float>(x); });
  return floats;
}

}  // namespace

BlockObs::BlockObs(const Gram& gram, Matrix w, std::int64_t rows_per_unit, Options options,
                   ThreadPool& pool)
    : first_(w),
      w_(std::move(w)),
      rows_per_unit_(rows_per_unit),
      mean_(gram.sum),
      removed_(static_cast<std::size_t>(w_.rows / rows_per_unit)) {
  const std::int64_t k = gram.size;
  if (gram.rows == 0 || k != w_.rows) return;
  for (double& mean : mean_) mean /= static_cast<double>(gram.rows);
  std::vector<double> h = gram.xx;
  double trace = 0;
  for (std::int64_t i = 0; i < k; ++i) {
    if (options.centred) {
      const double mean = mean_[static_cast<std::size_t>(i)];
      for (std::int64_t j = 0; j < k; ++j) {
        h[static_cast<std::size_t>(i * k + j)] -= mean * gram.sum[static_cast<std::size_t>(j)];
      }
    }
    trace += h[static_cast<std::size_t>(i * k + i)];
  }
  const double lambda = options.damping * trace / static_cast<double>(k);
  if (!(lambda > 0) || !std::isfinite(lambda)) return;
  for (std::int64_t i = 0; i < k; ++i) h[static_cast<std::size_t>(i * k + i)] += lambda;
  if (!options.centred) mean_.assign(mean_.size(), 0);
  usable_ = dense::level().cholesky(h.data(), k, pool);
  if (!usable_) return;
  inverse_.resize(h.size());
  for (std::int64_t i = 0; i < k; ++i) inverse_[static_cast<std::size_t>(i * k + i)] = 1;
  dense::level().solve_factored(h.data(), k, inverse_.data(), k, pool);
}

std::vector<std::int64_t> BlockObs::rows_of(std::span<const std::int64_t> units) const {
  std::vector<std::int64_t> rows;
  for (const std::int64_t unit : units) {
    if (is_removed(unit)) continue;
    for (std::int64_t i = 0; i < rows_per_unit_; ++i) rows.push_back(unit * rows_per_unit_ + i);
  }
  return rows;
}

BlockObs::Solved BlockObs::solve(std::span<const std::int64_t> rows, bool inverse_too,
                                 ThreadPool& pool) const {
  const std::int64_t k = w_.rows;
  const auto n = static_cast<std::int64_t>(rows.size());
  Solved solved{Matrix(k, n), {}, {}};
  std::vector<double> block(static_cast<std::size_t>(n * n));
  for (std::int64_t s = 0; s < n; ++s) {
    const double* row = inverse_.data() + rows[static_cast<std::size_t>(s)] * k;
    for (std::int64_t i = 0; i < k; ++i) solved.spread(i, s) = static_cast<float>(row[i]);
    for (std::int64_t t = 0; t < n; ++t) {
      block[static_cast<std::size_t>(s * n + t)] = row[rows[static_cast<std::size_t>(t)]];
    }
    const float* weights = w_.row(rows[static_cast<std::size_t>(s)]);
    solved.weight_rows.insert(solved.weight_rows.end(), weights, weights + w_.columns);
    if (inverse_too) solved.inverse_rows.insert(solved.inverse_rows.end(), row, row + k);
  }
  // Rounding may leave a block that is no longer positive definite: then nothing is made up for.
  if (!dense::level().cholesky(block.data(), n, pool)) {
    solved.weight_rows.assign(solved.weight_rows.size(), 0);
    solved.inverse_rows.assign(solved.inverse_rows.size(), 0);
    return solved;
  }
  dense::level().solve_factored(block.data(), n, solved.weight_rows.data(), w_.columns, pool);
  if (inverse_too) {
    dense::level().solve_factored(block.data(), n, solved.inverse_rows.data(), k, pool);
  }
  return solved;
}

std::vector<double> BlockObs::costs(ThreadPool& pool) const {
  std::vector<double> costs(static_cast<std::size_t>(units()));
  pool.parallel_for(units(), std::max<std::int64_t>(1, kRows / rows_per_unit_),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t unit = begin; unit < end; ++unit) {
                        if (is_removed(unit)) continue;
                        double& cost = costs[static_cast<std::size_t>(unit)];
                        if (rows_per_unit_ == 1) {
                          const float* w = w_.row(unit);
                          double energy = 0;
                          for (std::int64_t j = 0; j < w_.columns; ++j) {
                            energy += static_cast<double>(w[j]) * static_cast<double>(w[j]);
                          }
                          cost = energy / inverse_[static_cast<std::size_t>(unit * w_.rows + unit)];
                          continue;
                        }
                        cost = this->cost({&unit, 1}, pool);
                      }
                    });
  return costs;
}

double BlockObs::cost(std::span<const std::int64_t> units, ThreadPool& pool) const {
  const auto rows = rows_of(units);
  const std::vector<double> solved = solve(rows, false, pool).weight_rows;
  double cost = 0;
  for (std::size_t i = 0; i < solved.size(); ++i) {
    const auto columns = static_cast<std::size_t>(w_.columns);
    const float* w = w_.row(rows[i / columns]);
    cost += static_cast<double>(w[i % columns]) * solved[i];
  }
  return cost;
}

Matrix BlockObs::changed(const Solved& solved, std::span<const std::int64_t> rows,
                         ThreadPool& pool) const {
  Matrix w = w_;
  const std::vector<float> right = to_floats(solved.weight_rows);
  const auto n = static_cast<std::int64_t>(rows.size());
  pool.parallel_for(w.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    Matrix change(end - begin, w.columns);
    dense::level().multiply(solved.spread.row(begin), right.data(), change.values.data(),
                            end - begin, n, w.columns);
    float* to = w.row(begin);
    for (std::size_t i = 0; i < change.values.size(); ++i) to[i] -= change.values[i];
  });
  for (const std::int64_t row : rows) std::fill_n(w.row(row), w.columns, 0.0F);
  // Removed before: what rounding left in H⁻¹ must not bring them back.
  for (std::int64_t unit = 0; unit < units(); ++unit) {
    if (is_removed(unit))
      std::fill_n(w.row(unit * rows_per_unit_), rows_per_unit_ * w.columns, 0.0F);
  }
  return w;
}

Matrix BlockObs::without(std::span<const std::int64_t> units, ThreadPool& pool) const {
  const auto rows = rows_of(units);
  return rows.empty() ? w_ : changed(solve(rows, false, pool), rows, pool);
}

void BlockObs::remove(std::span<const std::int64_t> units, ThreadPool& pool) {
  const auto rows = rows_of(units);
  if (rows.empty()) return;
  const Solved solved = solve(rows, true, pool);
  w_ = changed(solved, rows, pool);
  const std::int64_t k = w_.rows;
  const auto n = static_cast<std::int64_t>(rows.size());
  const std::vector<float> right = to_floats(solved.inverse_rows);
  pool.parallel_for(k, kRows, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> change(static_cast<std::size_t>((end - begin) * k));
    dense::level().multiply(solved.spread.row(begin), right.data(), change.data(), end - begin, n,
                            k);
    double* to = inverse_.data() + begin * k;
    for (std::size_t i = 0; i < change.size(); ++i) to[i] -= static_cast<double>(change[i]);
  });
  for (const std::int64_t unit : units) removed_[static_cast<std::size_t>(unit)] = true;
}

std::vector<float> BlockObs::bias_change(const Matrix& w) const {
  std::vector<double> change(static_cast<std::size_t>(w.columns));
  for (std::int64_t i = 0; i < w.rows; ++i) {
    const double mean = mean_[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < w.columns; ++j) {
      change[static_cast<std::size_t>(j)] +=
          mean * (static_cast<double>(first_(i, j)) - static_cast<double>(w(i, j)));
    }
  }
  return to_floats(change);
}

}  // namespace onnxpress
