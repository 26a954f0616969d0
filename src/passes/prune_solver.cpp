// SPDX-License-Identifier: Apache-2.0
#include "passes/prune_solver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "calib/advice.h"
#include "numerics/output_error.h"
#include "numerics/ridge_refit.h"
#include "numerics/sparse_gpt.h"

namespace onnxpress {
namespace {

// ‖x‖ of each input, but for a factor.
std::vector<double> sizes_of(const Gram& gram) {
  std::vector<double> sizes;
  for (std::int64_t i = 0; i < gram.size; ++i) {
    sizes.push_back(std::sqrt(std::max(gram.at(i, i), 0.0)));
  }
  return sizes;
}

Matrix by_magnitude(const Matrix& w, const PruneOptions& options, ThreadPool& pool) {
  return masked(w, least_mask(w, {}, options.pattern, pool));
}

void add_sizes(const Matrix& w, PrunedWeight& pruned) {
  const auto zeros = static_cast<double>(std::ranges::count(pruned.w.values, 0.0F));
  const auto count = static_cast<double>(std::max<std::size_t>(w.values.size(), 1));
  pruned.figures.emplace_back("zeros", zeros / count);
  pruned.figures.emplace_back("archive_bytes.before", static_cast<double>(archive_bytes(w.values)));
  pruned.figures.emplace_back("archive_bytes.after",
                              static_cast<double>(archive_bytes(pruned.w.values)));
  pruned.figures.emplace_back("sqnr_db", sqnr_db(w, pruned.w));
}

void prune_on_data(const Matrix& w, bool own_bias, const StageMoments& moments,
                   const PruneOptions& options, ThreadPool& pool, PrunedWeight& pruned) {
  const PairJudge judge(moments.held_out);
  const PairJudge::Target goal = judge.target(w, pool);
  const bool bias = own_bias && options.bias;
  std::optional<double> least;
  double rounding = 0;
  const double drift = goal.signal > 0 ? std::sqrt(goal.drift / goal.signal) : 0;
  pruned.figures.emplace_back("before.output_error", drift);
  const auto consider = [&](const Matrix& q, const std::string& way) {
    std::vector<float> change;
    if (bias) change = mean_error(w, q, moments.train);
    const PairError error = judge.error(goal, w, q, change, pool);
    for (const bool corrected : {false, true}) {
      if (corrected && change.empty()) break;
      const double value = corrected ? error.with_change : error.relative;
      const std::string what = way + (corrected ? ", bias corrected" : "");
      pruned.figures.emplace_back(what + ".output_error", value);
      if (least && value >= *least) continue;
      least = value;
      rounding = error.rounding;
      pruned.w = q;
      pruned.bias_change = corrected ? change : std::vector<float>();
      pruned.way = what;
    }
  };
  const Gram& inputs = moments.train.edited;
  consider(by_magnitude(w, options, pool), "magnitude");
  if (options.method == PruneMethod::wanda) {
    consider(masked(w, least_mask(w, sizes_of(inputs), options.pattern, pool)), "wanda");
  } else if (options.method == PruneMethod::sparsegpt) {
    GptqOptions gptq;
    gptq.damping = advise_damping(moments).damping;
    gptq.activation_order = !options.pattern.grouped();
    const GptqFactor factor = factor_for_gptq(inputs, gptq, pool);
    const SparseGptOptions sparse{.sweeps = options.refine_sweeps};
    consider(prune_sparse_gpt(w, factor, options.pattern, sparse, pool).w, "sparsegpt");
    if (options.refit) {
      const Matrix wanted =
          RidgeRefit(moments.train, options.refit_strength, bias, pool).refit(w, pool);
      consider(prune_sparse_gpt(wanted, factor, options.pattern, sparse, pool).w,
               "sparsegpt, refitted");
    }
  }
  pruned.figures.emplace_back("output_error", *least);
  pruned.figures.emplace_back("rounding_error", rounding);
}

}  // namespace

std::string_view name(PruneMethod method) {
  switch (method) {
    case PruneMethod::magnitude:
      return "magnitude";
    case PruneMethod::wanda:
      return "wanda";
    case PruneMethod::sparsegpt:
      return "sparsegpt";
  }
  return "";
}

PrunedWeight prune(const Matrix& w, bool own_bias, const StageMoments* moments,
                   const PruneOptions& options, ThreadPool& pool) {
  PrunedWeight pruned;
  const bool judged =
      moments != nullptr && moments->train.edited.rows > 0 && moments->held_out.edited.rows > 0;
  if (judged) {
    prune_on_data(w, own_bias, *moments, options, pool, pruned);
  } else {
    pruned.w = by_magnitude(w, options, pool);
    pruned.way = "magnitude";
  }
  pruned.way = fmt::format("{}, {}", to_string(options.pattern), pruned.way);
  add_sizes(w, pruned);
  return pruned;
}

}  // namespace onnxpress
