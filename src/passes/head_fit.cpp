// SPDX-License-Identifier: Apache-2.0
#include "passes/head_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "numerics/output_error.h"
#include "numerics/ridge_refit.h"

namespace onnxpress {
namespace {

constexpr std::array kRidges{0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0};
constexpr std::int64_t kMostFloats = 4 << 20;  // of the rows that are kept, each

PairGram all_rows(const StageMoments& moments) {
  PairGram all = moments.held_out;
  all.edited += moments.train.edited;
  all.original += moments.train.original.sums();
  all.cross += moments.train.cross;
  return all;
}

void append(Matrix& to, const std::vector<float>& rows, std::int64_t first, std::int64_t count,
            std::int64_t width) {
  to.columns = width;
  to.rows += count;
  to.values.insert(to.values.end(), rows.begin() + first * width,
                   rows.begin() + (first + count) * width);
}

double kl(const float* reference, const float* candidate, std::int64_t n) {
  const double top_reference = *std::max_element(reference, reference + n);
  const double top_candidate = *std::max_element(candidate, candidate + n);
  double sum_reference = 0;
  double sum_candidate = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    sum_reference += std::exp(reference[i] - top_reference);
    sum_candidate += std::exp(candidate[i] - top_candidate);
  }
  const double log_reference = top_reference + std::log(sum_reference);
  const double log_candidate = top_candidate + std::log(sum_candidate);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double p = reference[i] - log_reference;
    sum += std::exp(p) * (p - (candidate[i] - log_candidate));
  }
  return std::max(sum, 0.0);
}

}  // namespace

HeadRows observe_head(StagedRun& run, const Model& edited, ValueId input, ThreadPool& pool) {
  HeadRows result;
  result.moments = observe_moments(run, edited, input, pool, [&](ValidRows& rows) {
    const std::int64_t most =
        std::min(HeadRows::kMostRows, kMostFloats / std::max<std::int64_t>(rows.width, 1));
    const std::int64_t count = std::min(rows.held_out, most - result.edited.rows);
    if (count <= 0) return;
    append(result.edited, rows.edited, rows.train, count, rows.width);
    append(result.original, rows.original, rows.train, count, rows.width);
  });
  return result;
}

std::optional<FittedHead> fit_head(const HeadRows& rows, const Matrix& w,
                                   std::span<const float> bias, bool own_bias, double ridge,
                                   ThreadPool& pool) {
  const PairJudge judge(rows.moments.held_out);
  const PairJudge::Target goal = judge.target(w, pool);
  const auto solve = [&](const PairGram& moments, double strength) {
    const bool bias_only = std::isinf(strength);
    Matrix q = bias_only ? w : RidgeRefit(moments, strength, own_bias, pool).refit(w, pool);
    std::vector<float> change;
    if (own_bias) change = mean_error(w, q, moments);
    return std::pair(std::move(q), std::move(change));
  };
  std::vector<double> strengths(kRidges.begin(), kRidges.end());
  if (own_bias) strengths.push_back(std::numeric_limits<double>::infinity());
  if (ridge >= 0) strengths = {ridge};

  FittedHead best;
  best.before = judge.error(goal, w, w, {}, pool).relative;
  best.kl_before = head_divergence(rows, w, w, bias, {}, pool);
  std::vector<std::pair<double, double>> closer;  // error, ridge
  for (const double strength : strengths) {
    const auto [q, change] = solve(rows.moments.train, strength);
    const PairError error = judge.error(goal, w, q, change, pool);
    const double value = change.empty() ? error.relative : error.with_change;
    if (value < best.before) closer.emplace_back(value, strength);
  }
  std::ranges::sort(closer);
  for (const auto& [error, strength] : closer) {
    const auto [q, change] = solve(rows.moments.train, strength);
    best.kl = head_divergence(rows, w, q, bias, change, pool);
    if (best.kl && !(*best.kl <= *best.kl_before)) continue;  // closer in the mean square only
    best.after = error;
    best.ridge = strength;
    std::tie(best.w, best.bias_change) = solve(all_rows(rows.moments), strength);
    return best;
  }
  return std::nullopt;
}

std::optional<double> head_divergence(const HeadRows& rows, const Matrix& w, const Matrix& q,
                                      std::span<const float> bias, std::span<const float> change,
                                      ThreadPool& pool) {
  const std::int64_t out = w.columns;
  if (out < 2 || rows.edited.rows == 0) return std::nullopt;
  double sum = 0;
  // A language model's logits are large: a few rows at a time.
  const std::int64_t at_once = std::max<std::int64_t>(1, kMostFloats / out);
  for (std::int64_t begin = 0; begin < rows.edited.rows; begin += at_once) {
    const std::int64_t count = std::min(at_once, rows.edited.rows - begin);
    const auto part = [&](const Matrix& from) {
      Matrix some(count, from.columns);
      std::copy_n(from.row(begin), count * from.columns, some.values.begin());
      return some;
    };
    Matrix reference = product(part(rows.original), w, pool);
    Matrix candidate = product(part(rows.edited), q, pool);
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t j = 0; j < out; ++j) {
        const auto at = static_cast<std::size_t>(j);
        const float b = bias.empty() ? 0 : bias[at];
        reference(i, j) += b;
        candidate(i, j) += b + (change.empty() ? 0 : change[at]);
      }
      sum += kl(reference.row(i), candidate.row(i), out);
    }
  }
  return sum / static_cast<double>(rows.edited.rows);
}

}  // namespace onnxpress
