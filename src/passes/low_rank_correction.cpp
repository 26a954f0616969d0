// SPDX-License-Identifier: Apache-2.0
#include "passes/low_rank_correction.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "calib/advice.h"
#include "numerics/output_error.h"
#include "numerics/ridge_refit.h"
#include "passes/linear_units.h"
#include "passes/n_bits_units.h"
#include "passes/unit_bias.h"

namespace onnxpress {
namespace {

constexpr double kWorthIt = 0.995;  // of the error without it, at most

struct Candidate {
  LowRankCorrection factors;
  std::vector<float> bias_change;
  double error = 0;
  double rounding = 0;
};

Matrix sum(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] += b.values[i];
  return a;
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
                                                 SolvedWeight& solved, ThreadPool& pool) {
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
  const Matrix q = dequantized_matrix(solved.q);
  const bool bias = has_own_bias(graph, unit) && choice.bias;
  const PairJudge judge(moments->held_out);
  const PairJudge::Target goal = judge.target(w, pool);
  const PairError without = judge.error(goal, w, q, solved.bias_change, pool);
  const double before = solved.bias_change.empty() ? without.relative : without.with_change;

  const CorrectionOptions options{choice.rank, choice.type, bias, advise_damping(*moments).damping};
  std::optional<Candidate> best;
  const auto consider = [&](const Matrix& wanted) {
    Candidate candidate{
        .factors = solve_correction(wanted, q, moments->train.edited, options, pool),
        .bias_change = {}};
    if (candidate.factors.rank() == 0) return;
    const Matrix sum_of = sum(product(candidate.factors.a(), candidate.factors.b(), pool), q);
    if (bias) candidate.bias_change = mean_error(w, sum_of, moments->train);
    const PairError error = judge.error(goal, w, sum_of, candidate.bias_change, pool);
    candidate.error = bias ? error.with_change : error.relative;
    candidate.rounding = error.rounding;
    if (!best || candidate.error < best->error) best = std::move(candidate);
  };
  consider(w);
  if (choice.refit) {
    consider(ridge_refit(w, moments->train, choice.refit_strength, bias, pool));
  }
  if (!best) return std::nullopt;
  solved.figures.emplace_back("uncorrected.output_error", before);
  solved.figures.emplace_back("corrected.output_error", best->error);
  if (best->error >= before * kWorthIt) {
    solved.way += ", no correction helps";
    return std::nullopt;
  }
  set_figure(solved.figures, "output_error", best->error);
  set_figure(solved.figures, "rounding_error", best->rounding);
  solved.bias_change = std::move(best->bias_change);
  solved.way += fmt::format(", corrected with rank {}", best->factors.rank());
  return std::move(best->factors);
}

}  // namespace onnxpress
