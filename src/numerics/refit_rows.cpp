// SPDX-License-Identifier: Apache-2.0
#include "numerics/refit_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kRows = 64;     // that a thread works on at a time
constexpr std::int64_t kAtOnce = 512;  // rows that are summed in float
constexpr std::array kStrengths = {1e-4, 1e-3, 1e-2, 1e-1, 1.0};
constexpr std::size_t kFirst = 2;

struct Change {
  Matrix weights;
  std::vector<double> bias;  // zeros unless centred
};

// X̃ᵀX̃ and X̃ᵀD about the means, or about zero.
class Centred {
 public:
  Centred(const RefitMoments& moments, bool centred, ThreadPool& pool)
      : k_(moments.inputs.size),
        n_(moments.out),
        mean_(static_cast<std::size_t>(k_)),
        lacking_mean_(static_cast<std::size_t>(n_)),
        xx_(moments.inputs.xx),
        pull_(moments.pull) {
    const auto rows = static_cast<double>(std::max<std::int64_t>(1, moments.inputs.rows));
    if (!centred) return;
    for (std::size_t i = 0; i < mean_.size(); ++i) mean_[i] = moments.inputs.sum[i] / rows;
    for (std::size_t j = 0; j < lacking_mean_.size(); ++j) {
      lacking_mean_[j] = moments.lacking_sum[j] / rows;
    }
    pool.parallel_for(k_, kRows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const double mean = mean_[static_cast<std::size_t>(i)];
        for (std::int64_t j = 0; j < k_; ++j) {
          xx_[static_cast<std::size_t>(i * k_ + j)] -=
              mean * moments.inputs.sum[static_cast<std::size_t>(j)];
        }
        for (std::int64_t j = 0; j < n_; ++j) {
          pull_[static_cast<std::size_t>(i * n_ + j)] -=
              mean * moments.lacking_sum[static_cast<std::size_t>(j)];
        }
      }
    });
  }

  [[nodiscard]] std::optional<Change> solve(double strength, ThreadPool& pool) const {
    double trace = 0;
    for (std::int64_t i = 0; i < k_; ++i) trace += xx_[static_cast<std::size_t>(i * k_ + i)];
    const double lambda = strength * trace / static_cast<double>(k_);
    if (!(lambda > 0) || !std::isfinite(lambda)) return std::nullopt;
    std::vector<double> factor = xx_;
    for (std::int64_t i = 0; i < k_; ++i) factor[static_cast<std::size_t>(i * k_ + i)] += lambda;
    if (!dense::level().cholesky(factor.data(), k_, pool)) return std::nullopt;
    std::vector<double> solved = pull_;
    dense::level().solve_factored(factor.data(), k_, solved.data(), n_, pool);
    Change change{Matrix(k_, n_), lacking_mean_};
    for (std::size_t i = 0; i < solved.size(); ++i) {
      change.weights.values[i] = static_cast<float>(solved[i]);
      if (!std::isfinite(change.weights.values[i])) return std::nullopt;
    }
    for (std::int64_t i = 0; i < k_; ++i) {
      for (std::int64_t j = 0; j < n_; ++j) {
        change.bias[static_cast<std::size_t>(j)] -=
            mean_[static_cast<std::size_t>(i)] * static_cast<double>(change.weights(i, j));
      }
    }
    return change;
  }

  // ‖D - X̃Δ - 1δᵀ‖² of these rows, which must be centred here: with r = δ + Δᵀ·mean it is
  // ‖D‖² - 2⟨X̃ᵀD, Δ⟩ + ⟨Δ, X̃ᵀX̃·Δ⟩ - 2⟨ΣD, r⟩ + rows·‖r‖².
  [[nodiscard]] double error(const RefitMoments& moments, const Change& change,
                             ThreadPool& pool) const {
    const std::vector<float> xx = [this] {
      std::vector<float> floats(xx_.size());
      std::ranges::transform(xx_, floats.begin(), [](double x) { return static_cast<float>(x); });
      return floats;
    }();
    Matrix moved(k_, n_);
    pool.parallel_for(k_, kRows, [&](std::int64_t begin, std::int64_t end) {
      dense::level().multiply(xx.data() + begin * k_, change.weights.values.data(),
                              moved.row(begin), end - begin, k_, n_);
    });
    double sum = moments.lacking;
    for (std::size_t i = 0; i < moved.values.size(); ++i) {
      sum += static_cast<double>(change.weights.values[i]) *
             (static_cast<double>(moved.values[i]) - 2 * pull_[i]);
    }
    const auto rows = static_cast<double>(moments.inputs.rows);
    std::vector<double> shift = change.bias;
    for (std::int64_t i = 0; i < k_; ++i) {
      for (std::int64_t j = 0; j < n_; ++j) {
        shift[static_cast<std::size_t>(j)] +=
            mean_[static_cast<std::size_t>(i)] * static_cast<double>(change.weights(i, j));
      }
    }
    for (std::size_t j = 0; j < shift.size(); ++j) {
      sum += shift[j] * (rows * shift[j] - 2 * moments.lacking_sum[j]);
    }
    return std::max(0.0, sum);
  }

 private:
  std::int64_t k_, n_;
  std::vector<double> mean_, lacking_mean_, xx_, pull_;
};

double relative(double energy, double signal) {
  return signal > 0 ? std::sqrt(energy / signal) : energy > 0 ? 1 : 0;
}

}  // namespace

RefitMoments::RefitMoments(std::int64_t in, std::int64_t outputs)
    : inputs(in),
      out(outputs),
      pull(static_cast<std::size_t>(in * outputs)),
      lacking_sum(static_cast<std::size_t>(outputs)) {}

RefitMoments& RefitMoments::operator+=(const RefitMoments& other) {
  inputs += other.inputs;
  for (std::size_t i = 0; i < pull.size(); ++i) pull[i] += other.pull[i];
  for (std::size_t i = 0; i < lacking_sum.size(); ++i) lacking_sum[i] += other.lacking_sum[i];
  lacking += other.lacking;
  signal += other.signal;
  return *this;
}

void add_rows(RefitMoments& moments, const float* inputs, const float* lacking, std::int64_t rows,
              ThreadPool& pool) {
  add_rows(moments.inputs, inputs, rows, pool);
  const std::int64_t k = moments.inputs.size;
  const std::int64_t n = moments.out;
  for (std::int64_t first = 0; first < rows; first += kAtOnce) {
    const std::int64_t count = std::min(kAtOnce, rows - first);
    const float* x = inputs + first * k;
    const float* d = lacking + first * n;
    pool.parallel_for(k, kRows, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> columns(static_cast<std::size_t>((end - begin) * count));
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t i = begin; i < end; ++i) {
          columns[static_cast<std::size_t>((i - begin) * count + r)] = x[r * k + i];
        }
      }
      std::vector<float> products(static_cast<std::size_t>((end - begin) * n));
      dense::level().multiply(columns.data(), d, products.data(), end - begin, count, n);
      double* to = moments.pull.data() + begin * n;
      for (std::size_t i = 0; i < products.size(); ++i) to[i] += static_cast<double>(products[i]);
    });
    for (std::int64_t r = 0; r < count; ++r) {
      for (std::int64_t j = 0; j < n; ++j) {
        const double value = d[r * n + j];
        moments.lacking_sum[static_cast<std::size_t>(j)] += value;
        moments.lacking += value * value;
      }
    }
  }
}

RowsRefit refit_rows(const RefitMoments& train, const RefitMoments& held_out, bool centred,
                     ThreadPool& pool) {
  RowsRefit result;
  result.error_before = result.error = relative(held_out.lacking, held_out.signal);
  if (train.inputs.rows == 0 || held_out.inputs.rows == 0) return result;
  double least = held_out.lacking;
  {
    const Centred solver(train, centred, pool);
    const Centred judge(held_out, true, pool);
    const auto try_strength = [&](std::size_t i) {
      const auto change = solver.solve(kStrengths[i], pool);
      if (!change) return false;
      const double error = judge.error(held_out, *change, pool);
      if (!(error < least)) return false;
      least = error;
      result.strength = kStrengths[i];
      return true;
    };
    // The error falls and rises with λ: down from the middle, or else up.
    try_strength(kFirst);
    bool lower = false;
    for (std::size_t i = kFirst; i-- > 0 && try_strength(i);) lower = true;
    for (std::size_t i = kFirst + 1; !lower && i < kStrengths.size(); ++i) {
      if (!try_strength(i) && result.strength > 0) break;
    }
  }
  if (result.strength == 0) return result;
  RefitMoments all = train;
  all += held_out;
  auto change = Centred(all, centred, pool).solve(result.strength, pool);
  if (!change) {
    result.strength = 0;
    return result;
  }
  result.error = relative(least, held_out.signal);
  result.change = std::move(change->weights);
  if (centred) result.bias_change.assign(change->bias.begin(), change->bias.end());
  return result;
}

}  // namespace onnxpress
