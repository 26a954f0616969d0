// SPDX-License-Identifier: Apache-2.0
#include "passes/weight_solver.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "numerics/clip_on_output.h"
#include "numerics/output_error.h"
#include "numerics/quantize_hqq.h"
#include "numerics/quantize_rtn.h"
#include "numerics/ridge_refit.h"

namespace onnxpress {

struct StageSolver::Rows {
  explicit Rows(const PairGram& given) : moments(given) {}
  Rows(const PairGram& a, const PairGram& b)
      : sum{a.edited, a.original.sums(), a.cross}, moments(sum) {
    sum.edited += b.edited;
    sum.original += b.original.sums();
    sum.cross += b.cross;
  }
  PairGram sum;  // of two parts; else empty
  const PairGram& moments;
  std::optional<GptqFactor> factored;
  std::optional<PairJudge> judging;
  const GptqFactor& factor(const GptqOptions& options) {
    if (!factored) factored = factor_for_gptq(moments.edited, options);
    return *factored;
  }
  const PairJudge& judge() {
    if (!judging) judging.emplace(moments);
    return *judging;
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

StageSolver::StageSolver(const StageMoments* moments, const SolverOptions& options,
                         ThreadPool& pool)
    : moments_(moments), options_(options), pool_(pool) {
  if (moments == nullptr) return;
  train_ = std::make_unique<Rows>(moments->train);
  held_out_ = std::make_unique<Rows>(moments->held_out);
  all_ = std::make_unique<Rows>(moments->train, moments->held_out);
}

StageSolver::~StageSolver() = default;

SolvedWeight StageSolver::solve(const WeightRef& w, bool own_bias, const Grid& grid,
                                WeightMethod method) {
  const bool on_data = method != WeightMethod::hqq && moments_ != nullptr &&
                       moments_->train.edited.rows > 0 && moments_->held_out.edited.rows > 0;
  SolvedWeight solved = on_data ? solve_on_data(to_matrix(w), own_bias, grid, method)
                                : solve_alone(to_matrix(w), grid, method);
  solved.q = with_layout(std::move(solved.q), w.layout);
  return solved;
}

SolvedWeight StageSolver::solve_alone(const Matrix& w, const Grid& grid, WeightMethod method) {
  SolvedWeight solved;
  if (method == WeightMethod::hqq) {
    solved.q = quantize_hqq(w, grid, {}, pool_);
  } else {
    solved.q = quantize_clipped(w, {}, grid, options_.clip ? options_.gptq.clip_steps : 0, pool_);
  }
  solved.way = name(method == WeightMethod::hqq ? method : WeightMethod::rtn);
  solved.figures = {{"sqnr_db", sqnr_db(w, dequantized_matrix(solved.q))}};
  return solved;
}

SolvedWeight StageSolver::solve_on_data(const Matrix& w, bool own_bias, const Grid& grid,
                                        WeightMethod method) {
  const auto target = [&](Rows& rows, const Way& way) {
    if (!way.ridge) return w;
    return ridge_refit(w, rows.moments, options_.ridge_strength, own_bias && options_.bias, pool_);
  };
  const auto quantize = [&](Rows& rows, const Way& way, const Matrix& wanted) {
    if (way.method == WeightMethod::gptq) {
      return quantize_gptq(wanted, rows.factor(options_.gptq), grid, options_.gptq, pool_).q;
    }
    if (way.method == WeightMethod::awq) {
      return quantize_clipped_on_output(wanted, rows.factor(options_.gptq).gram, grid,
                                        options_.clip ? kClipSteps : 0, pool_);
    }
    const auto& energy = rows.factor(options_.gptq).energy;
    return quantize_clipped(wanted, energy, grid, options_.clip ? options_.gptq.clip_steps : 0,
                            pool_);
  };
  const PairJudge& judge = held_out_->judge();
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
      any ? quantize(*all_, best, target(*all_, best)) : quantize_rtn(weight_ref(w), grid, pool_);
  const Matrix q = dequantized_matrix(solved.q);
  if (best.bias) solved.bias_change = mean_error(w, q, all_->moments);
  solved.way = any ? describe(best) : "rtn";
  solved.figures.emplace_back("output_error", least);
  solved.figures.emplace_back("rounding_error", rounding);
  solved.figures.emplace_back("sqnr_db", sqnr_db(w, q));
  return solved;
}

}  // namespace onnxpress
