// SPDX-License-Identifier: Apache-2.0
#include "passes/low_rank_correction.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "calib/advice.h"
#include "calib/all_rows.h"
#include "numerics/output_error.h"
#include "numerics/ridge_refit.h"
#include "passes/linear_units.h"
#include "passes/n_bits_units.h"
#include "passes/unit_bias.h"

namespace onnxpress {
namespace {

constexpr double kWorthIt = 0.995;  // of the error without it, at most

// Q + AB
Matrix values_of(const CorrectedCodes& found, ThreadPool& pool) {
  Matrix sum = dequantized_matrix(found.q);
  const Matrix branch = product(found.correction.a(), found.correction.b(), pool);
  for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += branch.values[i];
  return sum;
}

void set_figure(UnitFigures& figures, std::string_view name, double value) {
  const auto at = std::ranges::find(figures, name, &std::pair<std::string, double>::first);
  if (at != figures.end()) {
    at->second = value;
  } else {
    figures.emplace_back(name, value);
  }
}

// Why the unit can have none, or "".
std::string why_not(const CorrectionChoice& choice, const LinearUnit& unit, const Graph& graph) {
  if (choice.rank == 0) return "not wanted";
  if (2 * choice.rank > std::min(unit.in, unit.out)) return "the weight is too small";
  if (unit.weight_shared) return "another unit or an embedding reads the weight, too";
  return why_not_one_operator(unit, graph);
}

}  // namespace

std::int64_t planned_bytes(const CorrectionChoice& choice, const LinearUnit& unit,
                           const Graph& graph) {
  if (!why_not(choice, unit, graph).empty()) return 0;
  return correction_bytes(choice.type, choice.rank, unit.in, unit.out);
}

std::optional<LowRankCorrection> find_correction(const Graph& graph, const LinearUnit& unit,
                                                 const StageMoments* moments,
                                                 const CorrectionChoice& choice,
                                                 const GptqOptions& gptq, SolvedWeight& solved,
                                                 ThreadPool& pool) {
  if (choice.rank == 0) return std::nullopt;
  if (const std::string why = why_not(choice, unit, graph); !why.empty()) {
    solved.way += ", not corrected: " + why;
    return std::nullopt;
  }
  if (choice.unseen) {
    return stored_factors({{}, Matrix(unit.in, choice.rank), Matrix(choice.rank, unit.out)},
                          choice.type, pool);
  }
  if (moments == nullptr || moments->train.edited.rows == 0 || moments->held_out.edited.rows == 0) {
    return std::nullopt;
  }
  const Matrix w = to_matrix(*weight_ref(*graph.constant(unit.weight), matrix_layout(unit.layout)));
  const bool bias = has_own_bias(graph, unit) && choice.bias;
  const CorrectionOptions options{choice.rank, choice.type, bias, advise_damping(*moments).damping};
  const auto target = [&](const PairGram& rows, bool refit) {
    return refit ? RidgeRefit(rows, choice.refit_strength, bias, pool).refit(w, pool) : w;
  };
  // Codes of gptq leave to the correction what it takes; others stay as they are.
  const bool gptq_codes = solved.way.starts_with(name(WeightMethod::gptq));
  const auto factor_of = [&](const Gram& rows) {
    return gptq_codes ? factor_for_gptq(rows, gptq, pool) : GptqFactor{};
  };
  const auto correct = [&](QuantizedMatrix q, const PairGram& rows, const GptqFactor& factor,
                           bool refit) {
    const auto quantize = [&](const Matrix& rest) {
      return quantize_gptq(rest, factor, q.grid, gptq, pool).q;
    };
    return alternate_correction(target(rows, refit), q, rows.edited, options,
                                gptq_codes ? choice.rounds : 0, quantize, pool);
  };

  // GPTQ's codes have seen the held-out rows, and would look too good there: others judge for them.
  QuantizedMatrix judged = solved.q;
  const GptqFactor train_factor = factor_of(moments->train.edited);
  if (gptq_codes) {
    const bool refitted = solved.way.find("refitted") != std::string::npos;
    judged =
        quantize_gptq(target(moments->train, refitted), train_factor, judged.grid, gptq, pool).q;
  }
  const PairJudge judge(moments->held_out);
  const PairJudge::Target goal = judge.target(w, pool);
  const auto measure = [&](const Matrix& q) {
    std::vector<float> change;
    if (bias) change = mean_error(w, q, moments->train);
    PairError error = judge.error(goal, w, q, change, pool);
    if (bias) error.relative = std::min(error.relative, error.with_change);
    return error;
  };
  const PairError without = measure(dequantized_matrix(judged));
  std::optional<PairError> best;
  bool refit = false;
  for (const bool refitted : {false, true}) {
    if (refitted && !choice.refit) break;
    const CorrectedCodes found = correct(judged, moments->train, train_factor, refitted);
    if (found.correction.rank() == 0) return std::nullopt;
    const PairError error = measure(values_of(found, pool));
    if (best && error.relative >= best->relative) continue;
    best = error;
    refit = refitted;
  }
  solved.figures.emplace_back("uncorrected.output_error", without.relative);
  solved.figures.emplace_back("uncorrected.rounding_error", without.rounding);
  solved.figures.emplace_back("corrected.output_error", best->relative);
  solved.figures.emplace_back("corrected.rounding_error", best->rounding);
  if (best->relative >= without.relative * kWorthIt) {
    solved.way += ", no correction helps";
    return std::nullopt;
  }
  set_figure(solved.figures, "output_error", best->relative);
  set_figure(solved.figures, "rounding_error", best->rounding);

  const PairGram all = all_rows(*moments);
  CorrectedCodes found = correct(solved.q, all, factor_of(all.edited), refit);
  if (found.correction.rank() != options.rank) return std::nullopt;
  const Matrix values = values_of(found, pool);
  if (bias) solved.bias_change = mean_error(w, values, all);
  set_figure(solved.figures, "sqnr_db", sqnr_db(w, values));
  solved.q = with_layout(std::move(found.q), solved.q.layout);
  solved.way += fmt::format(", {} with rank {}", refit ? "refitted and corrected" : "corrected",
                            options.rank);
  return std::move(found.correction);
}

}  // namespace onnxpress
