// SPDX-License-Identifier: Apache-2.0
#include "passes/prune_weights.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <utility>

#include "base/error_codes.h"
#include "passes/activation_source.h"
#include "passes/linear_units.h"
#include "passes/n_bits_units.h"
#include "passes/prune_solver.h"
#include "passes/stages.h"
#include "passes/unit_bias.h"

namespace onnxpress {
namespace {

struct Options : UnitOptions {
  std::string method = "auto";
  double sparsity = 0.5;
  std::string pattern = "unstructured";
  std::int64_t refine = 2;
  bool refit = true;
  double refit_strength = 0.1;
  bool bias_correction = true;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"method",
       &Options::method,
       "which weights become zero, and whether the others make up for it (sparsegpt); auto: "
       "sparsegpt with data, else magnitude",
       {"auto", "magnitude", "wanda", "sparsegpt"}},
      {"sparsity",
       &Options::sparsity,
       "unstructured: share of the weights that become zero, above 0 and below 1",
       {},
       0,
       1},
      {"pattern", &Options::pattern,
       "unstructured, or N:M: of each M neighbours along the input, N stay (2:4)"},
      {"refine", &Options::refine, "sparsegpt: sweeps over the weights that stay", {}, 0, 20},
      {"refit", &Options::refit, "sparsegpt: try weights refitted to the original's outputs"},
      {"refit_strength",
       &Options::refit_strength,
       "how closely they stay to the weights",
       {},
       0,
       100},
      {"bias_correction", &Options::bias_correction, "try to move the mean error into the bias"},
      {"include", &Options::include, "globs over units: only these"},
      {"exclude", &Options::exclude, "globs over units: not these"},
      {"min_saving",
       &Options::min_saving,
       "units of a smaller share of all weights stay as they are",
       {},
       0,
       1}};
  return rows;
}

SparsityPattern pattern_of(const Options& options) {
  if (options.pattern == "unstructured") {
    if (options.sparsity > 0 && options.sparsity < 1) return {0, 0, options.sparsity};
    throw Error(codes::bad_option,
                fmt::format("prune_weights.sparsity must be above 0 and below 1, not {:g}",
                            options.sparsity),
                "0.5 makes half of the weights zero");
  }
  if (const auto pattern = parse_pattern(options.pattern)) return *pattern;
  throw Error(codes::bad_option,
              fmt::format("prune_weights.pattern must be unstructured or N:M with 1 <= N < M <= "
                          "64, not \"{}\"",
                          options.pattern),
              "2:4 keeps two of each four weights");
}

class PruneWeights : public Pass {
 public:
  explicit PruneWeights(Options options)
      : options_(std::move(options)), pattern_(pattern_of(options_)) {}

  [[nodiscard]] bool uses_data() const override { return true; }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const bool needs_data = options_.method == "wanda" || options_.method == "sparsegpt";
    if (needs_data && context.calibration() == nullptr && !context.dry_run()) {
      throw Error(codes::missing_data,
                  fmt::format("method {} needs data to calibrate on", options_.method),
                  "add --data, or set prune_weights.method to magnitude");
    }
    require_statistics(context, {.grams = true});
    PassPlan plan = plan_units(context, options_, false,
                               [&](const LinearUnit& unit) { return judge(unit, context); });
    for (UnitPlan& row : plan.units) {
      if (row.decision == Decision::change) row.bytes_after = row.bytes_before;
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    PassResult result;
    result.changed = plan.changes();
    if (plan.changes() == 0 || context.dry_run()) return result;  // zeros take the same bytes
    std::size_t seen = 0;
    const auto done = [&] {
      return static_cast<double>(seen) / static_cast<double>(plan.units.size());
    };
    std::optional<ActivationSource> source;
    if (context.calibration() != nullptr) source.emplace(context, done);
    const TransformerView& view = context.view();
    std::set<ValueId> pruned;
    Sizes sizes;
    for (const Stage& stage : stages_of(plan, view, context.graph())) {
      std::optional<StageMoments> moments;
      if (source) moments = source->moments(stage.input);
      for (const std::size_t row : stage.rows) {
        context.step(done());
        ++seen;
        const LinearUnit& unit = view.units()[static_cast<std::size_t>(plan.units[row].target)];
        if (!pruned.insert(unit.weight).second) continue;
        prune_unit(row, unit, moments ? &*moments : nullptr, context, result, sizes);
        if (moments && moments->train.edited.rows == 0) {
          result.ways[row] += ": " + source->why_unknown();
        } else if (source) {
          result.ways[row] += source->remark();
        }
      }
    }
    result.warnings.push_back(fmt::format(
        "zeros are stored like other numbers: the file stays as large and CPUs multiply as long as "
        "before. Only a compressed archive shrinks: these weights, {:.1f} MB, from about {:.1f} to "
        "{:.1f} MB. For speed remove whole heads and neurons instead",
        sizes.stored / 1e6, sizes.archive_before / 1e6, sizes.archive_after / 1e6));
    context.edited();
    return result;
  }

 private:
  struct Sizes {
    double stored = 0, archive_before = 0, archive_after = 0;
  };

  void prune_unit(std::size_t row, const LinearUnit& unit, const StageMoments* moments,
                  PassContext& context, PassResult& result, Sizes& sizes) const {
    Graph& graph = context.graph();
    const Tensor weight = *graph.constant(unit.weight);
    const Matrix w = to_matrix(*weight_ref(weight, matrix_layout(unit.layout)));
    PrunedWeight pruned = prune(w, has_own_bias(graph, unit) && !unit.weight_shared, moments,
                                solver(), context.pool());
    if (!pruned.bias_change.empty()) add_to_bias(graph, unit, pruned.bias_change);
    Matrix stored =
        unit.layout == WeightLayout::in_out ? std::move(pruned.w) : transposed(pruned.w);
    Tensor zeroed = Tensor::of<float>(weight.dims(), std::move(stored.values));
    if (graph.producer(unit.weight) == nullptr) {
      graph.set_constant(unit.weight, std::move(zeroed));
    } else {  // of a Constant node
      const std::string name = graph.value(unit.weight).name + "_pruned";
      graph.replace_all_uses(unit.weight, graph.add_constant(name, std::move(zeroed)));
    }
    for (const auto& [name, value] : pruned.figures) {
      if (name == "archive_bytes.before") sizes.archive_before += value;
      if (name == "archive_bytes.after") sizes.archive_after += value;
    }
    sizes.stored += static_cast<double>(weight.bytes().size());
    result.ways[row] = std::move(pruned.way);
    result.figures[row] = std::move(pruned.figures);
  }

  [[nodiscard]] PruneOptions solver() const {
    PruneOptions solver;
    solver.method = options_.method == "magnitude" ? PruneMethod::magnitude
                    : options_.method == "wanda"   ? PruneMethod::wanda
                                                   : PruneMethod::sparsegpt;
    solver.pattern = pattern_;
    solver.refine_sweeps = static_cast<int>(options_.refine);
    solver.refit = options_.refit;
    solver.refit_strength = options_.refit_strength;
    solver.bias = options_.bias_correction;
    return solver;
  }

  UnitOutcome judge(const LinearUnit& unit, PassContext& context) const {
    const Graph& graph = context.graph();
    if (std::string why = why_not_one_operator(unit, graph); !why.empty()) {
      return {.refusal = std::move(why)};
    }
    if (is_read_transposed(context.view(), unit)) {
      return {.refusal = "another unit reads the weight transposed"};
    }
    if (graph.value(unit.weight).is_output) return {.refusal = "the weight is a graph output"};
    for (const Embedding& embedding : context.view().embeddings()) {
      if (embedding.table == unit.weight) return {.refusal = "shared with an embedding"};
    }
    const Tensor* weight = graph.constant(unit.weight);
    if (weight == nullptr || !weight_ref(*weight, matrix_layout(unit.layout))) {
      return {.refusal = "the weight is not a matrix of floats"};
    }
    return {.reason = to_string(pattern_)};
  }

  Options options_;
  SparsityPattern pattern_;
};

}  // namespace

PassInfo prune_weights_info() {
  return {
      "prune_weights", "weights set to zero, a share of them or N:M; no faster on CPUs",
      "Sets weights of linear units to zero where that costs least, and with data lets the others "
      "make up for it (SparseGPT). Zeros are stored like other numbers: the file keeps its size "
      "and products on CPUs take as long; what shrinks is a compressed archive of the file. 2:4 "
      "is the pattern that some GPUs multiply faster. For speed on CPUs remove whole heads and "
      "neurons.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<PruneWeights>(read_options(table(), values, "pass prune_weights"));
      }};
}

}  // namespace onnxpress
