// SPDX-License-Identifier: Apache-2.0
#include "passes/fit_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error_codes.h"
#include "passes/head_fit.h"
#include "passes/linear_units.h"
#include "passes/original_value.h"
#include "passes/refit_pass.h"
#include "passes/selection.h"
#include "passes/unit_bias.h"

namespace onnxpress {
namespace {

struct Options {
  double ridge = -1;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"ridge",
       &Options::ridge,
       "how strongly the old weights hold, as a share of the mean energy of the features, above 0; "
       "-1: searched on held-out samples",
       {},
       -1,
       1e6},
      {"include", &Options::include, "globs over heads: only these"},
      {"exclude", &Options::exclude, "globs over heads: not these"}};
  return rows;
}

// The units whose results are the model's outputs.
std::vector<UnitIndex> heads_of(const TransformerView& view) {
  std::vector<UnitIndex> heads;
  for (UnitIndex i = 0; i < view.units().size(); ++i) {
    if (view.units()[i].role == UnitRole::head || view.output_head() == i) heads.push_back(i);
  }
  return heads;
}

// Small weights and those that are written in another layout can be refitted, too.
std::string first_refusal(const LinearUnit& unit) {
  for (const Refusal& refusal : unit.why_not) {
    if (refusal.kind != RefusalKind::tiny) return refusal.text;
  }
  return "";
}

bool same_constant(const Graph& original, const Graph& edited, ValueId value) {
  if (original.find_value(edited.value(value).name) != value) return false;
  const Tensor* before = original.constant(value);
  return before != nullptr && *before == *edited.constant(value);
}

std::string why_not_stored(const Graph& graph, const LinearUnit& unit) {
  const Tensor* weight = graph.constant(unit.weight);
  if (weight == nullptr || weight->rank() != 2) return "its weight is not a stored matrix";
  if (weight->dtype() != DType::float32) {
    return fmt::format("its weight is stored as {}, not float32", name(weight->dtype()));
  }
  if (unit.weight_shared) return "its weight serves another unit or an embedding, too";
  const auto values = weight->as<float>();
  if (!std::ranges::all_of(values, [](float x) { return std::isfinite(x); })) {
    return "its weight holds NaN or infinity";
  }
  return "";
}

std::string why_not(const Graph& graph, const LinearUnit& unit, const Model* original) {
  if (std::string why = first_refusal(unit); !why.empty()) return why;
  if (std::string why = why_not_stored(graph, unit); !why.empty()) return why;
  if (original == nullptr) return "";
  if (std::string why = why_not_comparable(original->graph, graph, unit.input, unit.product);
      !why.empty()) {
    return why;
  }
  if (!same_constant(original->graph, graph, unit.weight) ||
      (unit.bias && !same_constant(original->graph, graph, *unit.bias))) {
    return "an earlier pass changed its weights";
  }
  return "";
}

void set_weight(Graph& graph, const LinearUnit& unit, const Matrix& w) {
  const Tensor& old = *graph.constant(unit.weight);
  const Matrix stored = unit.layout == WeightLayout::in_out ? w : transposed(w);
  Tensor tensor = Tensor::of<float>(old.dims(), stored.values);
  if (!graph.value(unit.weight).producer) {
    graph.set_constant(unit.weight, std::move(tensor));
    return;
  }
  const std::string hint = graph.value(unit.weight).name + "_fitted";
  graph.replace_all_uses(unit.weight, graph.add_constant(hint, std::move(tensor)));
}

class FitHead : public RefitPass {
 public:
  explicit FitHead(Options options) : options_(std::move(options)) {
    if (options_.ridge > 0 || options_.ridge == -1) return;
    throw Error(codes::bad_option,
                fmt::format("pass fit_head: ridge must be above 0 and is {}", options_.ridge),
                "leave it out, and it is searched");
  }

  [[nodiscard]] bool uses_data() const override { return true; }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    require_samples(context, "the head is");
    const TransformerView& view = context.view();
    const auto heads = heads_of(view);
    std::vector<std::string> labels;
    for (const UnitIndex i : heads) labels.push_back(view.units()[i].label);
    const Selection selection(options_.include, options_.exclude);
    PassPlan plan;
    plan.unmatched_globs = selection.unmatched(labels);
    if (heads.empty()) {
      plan.warnings.emplace_back("no linear unit computes an output of the model: it has no head");
    }
    for (const UnitIndex i : heads) {
      const LinearUnit& unit = view.units()[i];
      UnitPlan row{.label = unit.label, .kind = "head", .target = static_cast<std::int64_t>(i)};
      row.bytes_before = row.bytes_after = unit.weight_bytes;
      row.reason = why_not(context.graph(), unit, original());
      if (row.reason.empty()) row.reason = selection.why_not(unit.label);
      if (row.reason.empty()) {
        row.decision = Decision::change;
        row.reason = "refitted to the original's logits";
      }
      plan.units.push_back(std::move(row));
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    PassResult result;
    result.changed = plan.changes();
    if (context.dry_run() || result.changed == 0) return result;
    const TransformerView& view = context.view();
    const Model before = original() != nullptr ? *original() : context.model();
    StagedRunOptions run_options;
    run_options.session = context.calibration()->session;
    run_options.pair = true;
    run_options.progress = [&](double done) { context.step(done); };
    StagedRun run(before, *context.calibration()->set, std::move(run_options));
    for (std::size_t row = 0; row < plan.units.size(); ++row) {
      if (plan.units[row].decision != Decision::change) continue;
      const LinearUnit& unit = view.units()[static_cast<std::size_t>(plan.units[row].target)];
      std::string kept = fit(unit, row, run, context, result);
      if (kept.empty()) continue;
      result.ways[row] = std::move(kept);
      result.kept.insert(row);
      --result.changed;
    }
    context.edited();
    return result;
  }

 private:
  // Returns why the head stays as it is, or "".
  std::string fit(const LinearUnit& unit, std::size_t row, StagedRun& run, PassContext& context,
                  PassResult& result) const {
    Graph& graph = context.graph();
    ThreadPool& pool = context.pool();
    const HeadRows rows = observe_head(run, context.model(), unit.input, pool);
    if (rows.moments.train.edited.rows == 0 || rows.moments.held_out.edited.rows == 0) {
      return "the data gave it no rows to solve on and to judge by";
    }
    const Matrix w =
        to_matrix(*weight_ref(*graph.constant(unit.weight), matrix_layout(unit.layout)));
    std::vector<float> bias;
    if (unit.bias) {
      const auto values = graph.constant(*unit.bias)->to_doubles();
      bias.assign(values.begin(), values.end());
    }
    const auto fitted = fit_head(rows, w, bias, has_own_bias(graph, unit), options_.ridge, pool);
    if (!fitted) return "no other weights come closer to the original's logits on held-out samples";
    UnitFigures& figures = result.figures[row];
    figures = {{"before.output_error", fitted->before}, {"output_error", fitted->after}};
    result.ways[row] =
        fmt::format("refitted: held-out error {:.4f} → {:.4f}", fitted->before, fitted->after);
    if (fitted->kl) {
      figures.emplace_back("before.kl", *fitted->kl_before);
      figures.emplace_back("kl", *fitted->kl);
      result.ways[row] += fmt::format(", KL {:.5f} → {:.5f}", *fitted->kl_before, *fitted->kl);
    }
    if (rows.moments.skipped_rows > 0) {
      result.warnings.push_back(fmt::format("{}: {} rows with NaN or infinity are left out",
                                            unit.label, rows.moments.skipped_rows));
    }
    set_weight(graph, unit, fitted->w);
    if (!fitted->bias_change.empty()) add_to_bias(graph, unit, fitted->bias_change);
    return "";
  }

  Options options_;
};

}  // namespace

PassInfo fit_head_info() {
  return {
      "fit_head", "the classifier or output head, refitted to the original's logits",
      "For use after quantization or pruning, as the last pass. Solves for the head's weight and "
      "bias with which the model's features, as they are now, give the logits of the model as "
      "it came, by least squares with a ridge on the calibration data; no labels are needed. "
      "The head keeps its old weights unless the new ones are closer on held-out samples. A "
      "head that is quantized or tied to the embedding stays as it is, with the reason.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<FitHead>(read_options(table(), values, "pass fit_head"));
      }};
}

}  // namespace onnxpress
