// SPDX-License-Identifier: Apache-2.0
#include "passes/low_rank_solver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "calib/advice.h"
#include "calib/all_rows.h"
#include "numerics/output_error.h"
#include "numerics/ridge_refit.h"

namespace onnxpress {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();
// Singular values and errors are known to so many digits: a share of exactly all is not asked of
// the last of them.
constexpr double kDigits = 1e-12;

std::int64_t round_up(std::int64_t rank, std::int64_t multiple) {
  return std::max<std::int64_t>((rank + multiple - 1) / multiple, 1) * multiple;
}

struct Rank {
  std::int64_t value = 0;
  std::string wanted;  // what it is for
};

Rank find_rank(const Matrix& w, const LowRankFactors& all, bool own_bias,
               const StageMoments* moments, const LowRankOptions& options, ThreadPool& pool) {
  if (options.is_rank_known()) return {options.largest_rank(w.rows, w.columns), ""};
  if (options.rule == RankRule::energy) {
    return {rank_for_share(all.energy, options.energy * (1 - kDigits)),
            fmt::format("to keep {:g} % of its output's energy", 100 * options.energy)};
  }
  // What is left out on rows that the factors have not seen, next to the original's output.
  const Gram& seen_by = moments->held_out.edited;
  const auto left = energies_on(all, moments_of(seen_by, own_bias, 0), pool);
  const double signal = std::accumulate(left.begin(), left.end(), 0.0);
  const auto output = energies_on(all, moments_of(seen_by, false, 0), pool);
  const double allowed =
      options.max_error * options.max_error * std::accumulate(output.begin(), output.end(), 0.0);
  double tail = signal;
  std::int64_t rank = 0;
  while (rank < all.rank() && tail > allowed) tail -= left[static_cast<std::size_t>(rank++)];
  return {rank, fmt::format("for a held-out error of {:g}", options.max_error)};
}

// How factors are found.
struct Way {
  bool whitened = false;
  bool refitted = false;
  bool bias = false;
};

std::string describe(const Way& way) {
  std::string text = way.whitened ? "whitened" : "svd";
  if (way.refitted) text += ", refitted";
  if (way.bias) text += ", bias corrected";
  return text;
}

class Judge {
 public:
  Judge(const Matrix& w, bool own_bias, const StageMoments& moments, ThreadPool& pool)
      : w_(w),
        own_bias_(own_bias),
        moments_(moments),
        pool_(pool),
        judge_(moments.held_out),
        goal_(judge_.target(w, pool)) {}

  void consider(Way way, const LowRankFactors& factors, UnitFigures& figures) {
    const Matrix q = product(factors.a, factors.b, pool_);
    std::vector<float> change;
    if (own_bias_) change = mean_error(w_, q, moments_.train);
    const PairError error = judge_.error(goal_, w_, q, change, pool_);
    figures.emplace_back(describe(way) + ".output_error", error.relative);
    figures.emplace_back(describe(way) + ".rounding_error", error.rounding);
    for (const bool bias : {false, true}) {
      if (bias && change.empty()) break;
      way.bias = bias;
      const double value = bias ? error.with_change : error.relative;
      if (bias) figures.emplace_back(describe(way) + ".output_error", value);
      if (best && value >= least) continue;
      least = value;
      added = error.rounding;
      best = way;
    }
  }
  [[nodiscard]] double drift() const {
    return goal_.signal > 0 ? std::sqrt(goal_.drift / goal_.signal) : 0;
  }

  std::optional<Way> best;
  double least = 0;
  double added = 0;

 private:
  const Matrix& w_;
  bool own_bias_;
  const StageMoments& moments_;
  ThreadPool& pool_;
  PairJudge judge_;
  PairJudge::Target goal_;
};

SolvedFactors refused(std::string why) {
  SolvedFactors solved;
  solved.why_not = std::move(why);
  return solved;
}

}  // namespace

const std::vector<std::string>& rank_rule_names() {
  static const std::vector<std::string> names{"energy", "bytes", "error", "rank"};
  return names;
}

std::int64_t LowRankOptions::largest_rank(std::int64_t in, std::int64_t out) const {
  const std::int64_t largest = largest_saving_rank(in, out, multiple, kNoLimit);
  switch (rule) {
    case RankRule::bytes:
      return largest_saving_rank(in, out, multiple, ratio * break_even_rank(in, out));
    case RankRule::rank:
      return round_up(rank, multiple) <= largest ? round_up(rank, multiple) : 0;
    case RankRule::energy:
    case RankRule::error:
      return largest;
  }
  return 0;
}

SolvedFactors solve_low_rank(const Matrix& w, bool own_bias, const StageMoments* moments,
                             const LowRankOptions& options, ThreadPool& pool) {
  if (moments != nullptr && moments->held_out.edited.rows == 0) {
    return refused("the data gave no rows to judge by");
  }
  const double damping = moments == nullptr ? 0 : advise_damping(*moments).damping;
  std::vector<double> h;
  if (moments != nullptr && options.whitened) {
    h = moments_of(moments->train.edited, own_bias, damping);
    if (h.empty()) return refused("the data gave no rows to solve on");
  }
  const std::int64_t all = std::min(w.rows, w.columns);
  const LowRankFactors factors = factor_low_rank(w, h, all, pool);
  if (factors.energy.empty()) return refused("its numbers can't be factored");
  const Rank found = find_rank(w, factors, own_bias, moments, options, pool);
  const std::int64_t rank = round_up(found.value, options.multiple);
  if (rank > options.largest_rank(w.rows, w.columns)) {
    return refused(fmt::format("needs rank {} of {} {}; ranks below {:.0f} would save bytes", rank,
                               all, found.wanted, break_even_rank(w.rows, w.columns)));
  }

  SolvedFactors solved;
  UnitFigures figures{{"rank", static_cast<double>(rank)}};
  if (moments == nullptr) {
    LowRankFactors thin = leading(factors, rank);
    solved.a = std::move(thin.a);
    solved.b = std::move(thin.b);
    solved.way = "plain SVD";
  } else {
    const auto solve = [&](const PairGram& rows, const Way& way) {
      if (!way.whitened) return factor_low_rank(w, {}, rank, pool);
      return factor_low_rank(
          way.refitted ? RidgeRefit(rows, options.refit_strength, own_bias, pool).refit(w, pool)
                       : w,
          moments_of(rows.edited, own_bias, damping), rank, pool);
    };
    Judge judge(w, own_bias, *moments, pool);
    figures.emplace_back("before.output_error", judge.drift());
    judge.consider({}, options.whitened ? solve(moments->train, {}) : leading(factors, rank),
                   figures);
    if (options.whitened) {
      judge.consider({.whitened = true}, leading(factors, rank), figures);
      if (options.refit) {
        const Way way{.whitened = true, .refitted = true};
        judge.consider(way, solve(moments->train, way), figures);
      }
    }
    const PairGram all_moments = all_rows(*moments);
    LowRankFactors thin = solve(all_moments, *judge.best);
    if (judge.best->bias) {
      solved.bias_change = mean_error(w, product(thin.a, thin.b, pool), all_moments);
    }
    solved.a = std::move(thin.a);
    solved.b = std::move(thin.b);
    solved.way = describe(*judge.best);
    figures.emplace_back("output_error", judge.least);
    figures.emplace_back("rounding_error", judge.added);
  }
  figures.emplace_back("sqnr_db", sqnr_db(w, product(solved.a, solved.b, pool)));
  solved.way = fmt::format("rank {} of {}, {}", rank, all, solved.way);
  solved.figures = std::move(figures);
  return solved;
}

}  // namespace onnxpress
