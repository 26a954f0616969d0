// SPDX-License-Identifier: Apache-2.0
#include "passes/weight_solver.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "numerics/clip_on_output.h"
#include "numerics/quantize_hqq.h"
#include "numerics/quantize_rtn.h"
#include "numerics/ridge_refit.h"

namespace onnxpress {

struct StageSolver::Rows {
  PairGram moments;
  std::optional<GptqFactor> factored{};
  std::optional<RidgeRefit> refits[2]{};  // weights with a bias that may follow: [1]
  const GptqFactor& factor(const GptqOptions& options, ThreadPool& pool) {
    if (!factored) factored = factor_for_gptq(moments.edited, options, pool);
    return *factored;
  }
  const RidgeRefit& refit(double strength, bool centred, ThreadPool& pool) {
    std::optional<RidgeRefit>& refit = refits[centred ? 1 : 0];
    if (!refit) refit.emplace(moments, strength, centred, pool);
    return *refit;
  }
};

namespace {

constexpr int kClipSteps = 10;      // of awq's search, as its authors have it
constexpr double kWorthIt = 0.995;  // a correction must lower the held-out error at least so far

// A way to solve a weight.
struct Way {
  WeightMethod method = WeightMethod::rtn;
  bool ridge = false;
  bool bias = false;
};

std::string describe(const Way& way) {
  std::string text(name(way.method));
  if (way.ridge) text += ", refitted";
  if (way.bias) text += ", bias corrected";
  return text;
}

}  // namespace

std::string_view name(WeightMethod method) {
  switch (method) {
    case WeightMethod::rtn:
      return "rtn";
    case WeightMethod::hqq:
      return "hqq";
    case WeightMethod::awq:
      return "awq";
    case WeightMethod::gptq:
      return "gptq";
  }
  return "";
}

StageSolver::StageSolver(std::optional<StageMoments> moments, const SolverOptions& options,
                         ThreadPool& pool)
    : options_(options), pool_(pool) {
  if (!moments || moments->train.edited.rows == 0 || moments->held_out.edited.rows == 0) return;
  judge_.emplace(moments->held_out);
  held_out_ = std::move(moments->held_out);
  held_out_.original = held_out_.original.sums();
  train_ = std::make_unique<Rows>(Rows{std::move(moments->train)});
}

StageSolver::~StageSolver() = default;

StageSolver::Rows& StageSolver::all() {
  if (!all_) {
    all_ = std::make_unique<Rows>(Rows{std::move(held_out_)});
    all_->moments.edited += train_->moments.edited;
    all_->moments.original += train_->moments.original.sums();
    all_->moments.cross += train_->moments.cross;
  }
  return *all_;
}

SolvedWeight StageSolver::solve(const WeightRef& w, bool own_bias, const Grid& grid,
                                WeightMethod method) {
  const bool on_data = method != WeightMethod::hqq && judge_;
  SolvedWeight solved =
      on_data ? solve_on_data(to_matrix(w), own_bias, grid, method) : solve_alone(w, grid, method);
  solved.q = with_layout(std::move(solved.q), w.layout);
  return solved;
}

SolvedWeight StageSolver::solve_alone(const WeightRef& w, const Grid& grid, WeightMethod method) {
  SolvedWeight solved;
  const int steps = options_.clip ? options_.gptq.clip_steps : 0;
  if (method == WeightMethod::hqq) {
    solved.q = quantize_hqq(to_matrix(w), grid, {}, pool_);
  } else if (steps > 0) {
    solved.q = quantize_clipped(to_matrix(w), {}, grid, steps, pool_);
  } else {
    solved.q = quantize_rtn(w, grid, pool_);
  }
  solved.q = with_layout(std::move(solved.q), w.layout);
  solved.way = name(method == WeightMethod::hqq ? method : WeightMethod::rtn);
  solved.figures = {{"sqnr_db", sqnr_db(w, solved.q, pool_)}};
  return solved;
}

SolvedWeight StageSolver::solve_on_data(const Matrix& w, bool own_bias, const Grid& grid,
                                        WeightMethod method) {
  const auto target = [&](Rows& rows, const Way& way) {
    if (!way.ridge) return w;
    return rows.refit(options_.ridge_strength, own_bias && options_.bias, pool_).refit(w, pool_);
  };
  std::optional<QuantizedMatrix> ranges;  // of the weights themselves, searched once, on all rows
  const auto quantize = [&](Rows& rows, const Way& way, const Matrix& wanted) {
    const GptqFactor& factor = rows.factor(options_.gptq, pool_);
    if (way.method == WeightMethod::awq) {
      return quantize_clipped_on_output(wanted, factor.gram, grid, options_.clip ? kClipSteps : 0,
                                        pool_);
    }
    const int steps = options_.clip ? options_.gptq.clip_steps : 0;
    if (way.method == WeightMethod::rtn) {
      return quantize_clipped(wanted, factor.energy, grid, steps, pool_);
    }
    if (way.ridge) return quantize_gptq(wanted, factor, grid, options_.gptq, pool_).q;
    if (!ranges) {
      ranges = quantize_clipped(w, all().factor(options_.gptq, pool_).energy, grid,
                                options_.gptq.clip_steps, pool_);
    }
    return quantize_gptq_in_ranges(w, factor, *ranges, options_.gptq, pool_).q;
  };
  const PairJudge& judge = *judge_;
  const PairJudge::Target goal = judge.target(w, pool_);

  SolvedWeight solved;
  Way best;
  const Matrix nearest = dequantized_matrix(quantize_rtn(weight_ref(w), grid, pool_));
  const PairError plain = judge.error(goal, w, nearest, {}, pool_);
  const double drift = goal.signal > 0 ? std::sqrt(goal.drift / goal.signal) : 0;
  double least = plain.relative;
  double rounding = plain.rounding;
  solved.figures.emplace_back("before.output_error", drift);
  solved.figures.emplace_back("rtn.output_error", least);
  solved.figures.emplace_back("rtn.rounding_error", rounding);
  bool any = false;  // better than plain rounding
  const auto consider = [&](Way way) {
    const Matrix wanted = target(*train_, way);
    // Rounding adds to what a refit leaves: one that helps nothing before will not help behind.
    if (way.ridge && judge.error(goal, w, wanted, {}, pool_).relative >= drift * kWorthIt) return;
    const Matrix q = dequantized_matrix(quantize(*train_, way, wanted));
    std::vector<float> change;
    if (own_bias && options_.bias) change = mean_error(w, q, train_->moments);
    const PairError error = judge.error(goal, w, q, change, pool_);
    for (const bool bias : {false, true}) {
      if (bias && change.empty()) break;
      way.bias = bias;
      const double value = bias ? error.with_change : error.relative;
      solved.figures.emplace_back(describe(way) + ".output_error", value);
      if (value >= least * kWorthIt) continue;
      least = value;
      rounding = error.rounding;
      best = way;
      any = true;
    }
  };
  consider({method, false, false});
  if (options_.ridge) consider({method, true, false});

  solved.q =
      any ? quantize(all(), best, target(all(), best)) : quantize_rtn(weight_ref(w), grid, pool_);
  const Matrix q = dequantized_matrix(solved.q);
  if (best.bias) solved.bias_change = mean_error(w, q, all().moments);
  solved.way = any ? describe(best) : "rtn";
  solved.figures.emplace_back("output_error", least);
  solved.figures.emplace_back("rounding_error", rounding);
  solved.figures.emplace_back("sqnr_db", sqnr_db(w, q));
  return solved;
}

}  // namespace onnxpress
