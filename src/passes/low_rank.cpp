// SPDX-License-Identifier: Apache-2.0
#include "passes/low_rank.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error_codes.h"
#include "passes/activation_source.h"
#include "passes/linear_units.h"
#include "passes/low_rank_branch.h"
#include "passes/low_rank_solver.h"
#include "passes/n_bits_units.h"
#include "passes/stages.h"
#include "passes/unit_bias.h"

namespace onnxpress {
namespace {

struct Options : UnitOptions {
  std::string method = "whitened";
  std::string by = "energy";
  double energy = 0.999;
  double ratio = 0.5;
  double max_error = 0.1;
  std::int64_t rank = 64;
  std::int64_t multiple = 8;
  bool refit = true;
  double refit_strength = 0.1;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"method",
       &Options::method,
       "whitened: what data say of the inputs decides which directions are kept; svd: the weight "
       "alone, far worse",
       {"whitened", "svd"}},
      {"by", &Options::by, "which of the options below sets a unit's rank", rank_rule_names()},
      {"energy",
       &Options::energy,
       "by energy: share of the output's energy that is kept, above 0 and at most 1",
       {},
       0,
       1},
      {"ratio",
       &Options::ratio,
       "by bytes: of the weight's bytes, at most this share is left; above 0 and below 1",
       {},
       0,
       1},
      {"max_error",
       &Options::max_error,
       "by error: what the factors may add to the output's relative error on held-out samples, "
       "above 0 and below 1",
       {},
       0,
       1},
      {"rank", &Options::rank, "by rank: the rank of all units, rounded up", {}, 1, 65536},
      {"multiple", &Options::multiple, "ranks are multiples of it: 8 or 16 suit CPUs", {}, 1, 256},
      {"refit", &Options::refit, "try factors of weights refitted to the original's outputs"},
      {"refit_strength",
       &Options::refit_strength,
       "how closely they stay to the weights",
       {},
       0,
       100},
      {"include", &Options::include, "globs over units: only these"},
      {"exclude", &Options::exclude, "globs over units: not these"},
      {"min_saving",
       &Options::min_saving,
       "units that could not save at least this share of all weights stay as they are",
       {},
       0,
       1}};
  return rows;
}

void require_inside(std::string_view option, double value, bool one_too) {
  if (value > 0 && (value < 1 || (one_too && value == 1))) return;
  throw Error(codes::bad_option,
              fmt::format("low_rank.{} must be above 0 and {} 1, not {:g}", option,
                          one_too ? "at most" : "below", value),
              "see: onnxpress passes low_rank");
}

LowRankOptions solver_options(const Options& options) {
  require_inside("energy", options.energy, true);
  require_inside("ratio", options.ratio, false);
  require_inside("max_error", options.max_error, false);
  const auto rule = std::ranges::find(rank_rule_names(), options.by) - rank_rule_names().begin();
  return {.whitened = options.method == "whitened",
          .rule = static_cast<RankRule>(rule),
          .energy = options.energy,
          .ratio = options.ratio,
          .max_error = options.max_error,
          .rank = options.rank,
          .multiple = options.multiple,
          .refit = options.refit,
          .refit_strength = options.refit_strength};
}

std::int64_t factor_bytes(std::int64_t rank, const LinearUnit& unit) {
  return rank * (unit.in + unit.out) * bytes_of(FloatType::float32);
}

class LowRank : public Pass {
 public:
  explicit LowRank(Options options)
      : options_(std::move(options)), solver_(solver_options(options_)) {}

  [[nodiscard]] bool uses_data() const override { return true; }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const bool needs_data = solver_.whitened || solver_.rule == RankRule::error;
    if (needs_data && context.calibration() == nullptr && !context.dry_run()) {
      throw Error(codes::missing_data,
                  solver_.whitened ? "the whitened factorisation needs data to calibrate on"
                                   : "a rank by measured error needs data to measure on",
                  "add --data; low_rank.method = svd with another low_rank.by does without, at a "
                  "far higher error");
    }
    require_statistics(context, {.grams = true});
    PassPlan plan = plan_units(context, options_, false,
                               [&](const LinearUnit& unit) { return judge(unit, context); });
    for (UnitPlan& row : plan.units) {
      // What the rank will be depends on data: nothing is promised.
      if (row.decision == Decision::change && !solver_.is_rank_known()) {
        row.bytes_after = row.bytes_before;
      }
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    PassResult result;
    const bool on_data =
        context.calibration() != nullptr && !context.dry_run() && plan.changes() > 0;
    std::size_t seen = 0;
    const auto done = [&] {
      return static_cast<double>(seen) / static_cast<double>(plan.units.size());
    };
    std::optional<ActivationSource> source;
    if (on_data) source.emplace(context, done);
    const TransformerView& view = context.view();
    for (const Stage& stage : stages_of(plan, view, context.graph())) {
      std::optional<StageMoments> moments;
      if (source) moments = source->moments(stage.input);
      for (const std::size_t row : stage.rows) {
        context.step(done());
        ++seen;
        const LinearUnit& unit = view.units()[static_cast<std::size_t>(plan.units[row].target)];
        if (moments && moments->train.edited.rows == 0) {
          result.kept.insert(row);
          result.ways[row] = source->why_unknown();
          continue;
        }
        factor(row, unit, moments ? &*moments : nullptr, context, result);
        if (source && !result.kept.contains(row)) result.ways[row] += source->remark();
      }
    }
    if (context.dry_run() && !solver_.is_rank_known() && plan.changes() > 0) {
      result.warnings.emplace_back(
          "ranks depend on data: a dry run takes those of the weights alone");
    }
    if (result.changed == 0) {
      result.warnings.emplace_back(
          "low rank saves nothing here: no unit reaches what was asked for with fewer bytes, and "
          "all stay as they are; the units' reasons say what each would need");
    }
    context.edited();
    return result;
  }

 private:
  void factor(std::size_t row, const LinearUnit& unit, const StageMoments* moments,
              PassContext& context, PassResult& result) const {
    Graph& graph = context.graph();
    const Matrix w =
        to_matrix(*weight_ref(*graph.constant(unit.weight), matrix_layout(unit.layout)));
    LowRankOptions solver = solver_;
    if (moments == nullptr && solver.rule == RankRule::error) {  // of a dry run
      solver.rule = RankRule::energy;
      solver.energy = 1 - solver.max_error * solver.max_error;
    }
    SolvedFactors solved =
        solve_low_rank(w, has_own_bias(graph, unit), moments, solver, context.pool());
    if (!solved.why_not.empty()) {
      result.kept.insert(row);
      result.ways[row] = std::move(solved.why_not);
      return;
    }
    if (!solved.bias_change.empty()) add_to_bias(graph, unit, solved.bias_change);
    replace_by_factors(graph, unit, solved.a, solved.b, graph.value(unit.weight).name);
    ++result.changed;
    result.bytes_after[row] = factor_bytes(solved.a.columns, unit);
    result.ways[row] = std::move(solved.way);
    result.figures[row] = std::move(solved.figures);
  }

  UnitOutcome judge(const LinearUnit& unit, PassContext& context) const {
    const Graph& graph = context.graph();
    if (std::string why = why_not_one_operator(unit, graph); !why.empty()) {
      return {.refusal = std::move(why)};
    }
    if (unit.weight_shared) {
      return {.refusal = "another unit or an embedding reads the weight, too"};
    }
    if (graph.value(unit.weight).is_output) return {.refusal = "the weight is a graph output"};
    const Tensor* weight = graph.constant(unit.weight);
    if (weight == nullptr || !weight_ref(*weight, matrix_layout(unit.layout))) {
      return {.refusal = "the weight is not a matrix of floats"};
    }
    const std::int64_t rank = solver_.largest_rank(unit.in, unit.out);
    if (rank == 0) {
      return {.refusal = fmt::format("{} saves no bytes: only ranks below {:g} do",
                                     solver_.rule == RankRule::rank
                                         ? fmt::format("rank {}", solver_.rank)
                                         : fmt::format("a multiple of {}", solver_.multiple),
                                     std::ceil(break_even_rank(unit.in, unit.out)))};
    }
    if (solver_.is_rank_known()) {
      return {.reason = fmt::format("rank {} of {}", rank, std::min(unit.in, unit.out)),
              .bytes_after = factor_bytes(rank, unit)};
    }
    return {.reason = fmt::format("rank at most {} of {}", rank, std::min(unit.in, unit.out)),
            .bytes_after = factor_bytes(std::min(rank, solver_.multiple), unit)};
  }

  Options options_;
  LowRankOptions solver_;
};

}  // namespace

PassInfo low_rank_info() {
  return {
      "low_rank", "weights as products of two thin matrices, where that saves bytes",
      "Replaces the weight of a linear unit by A·B of a lower rank, which multiplies faster and "
      "takes fewer bytes where the rank is below in·out / (in + out). The directions that are "
      "kept are the principal components of the unit's output on data, in the model as it is by "
      "then (whitened SVD); those of the weight alone (svd) lose far more. Units "
      "that do not reach what is asked for with fewer bytes stay, each with its reason: in "
      "trained models that may be all of them, since rounding to INT8 saves more and loses less.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<LowRank>(read_options(table(), values, "pass low_rank"));
      }};
}

}  // namespace onnxpress
