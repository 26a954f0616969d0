// SPDX-License-Identifier: Apache-2.0
#include "passes/fit_norms.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error_codes.h"
#include "model/transformer_view.h"
#include "passes/norm_rows.h"
#include "passes/original_value.h"
#include "passes/refit_pass.h"
#include "passes/selection.h"

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
       "how strongly the old values hold, as a share of what the data say; -1: searched for each "
       "norm on held-out samples",
       {},
       -1,
       1e6},
      {"include", &Options::include, "globs over norms: only these"},
      {"exclude", &Options::exclude, "globs over norms: not these"}};
  return rows;
}

constexpr std::array kRidges{0.0, 0.01, 0.1, 1.0};

// Whether nothing but the norm reads the constant.
bool is_own(const Graph& graph, const patterns::NormMatch& norm, ValueId constant) {
  const Value& value = graph.value(constant);
  return !value.is_output && std::ranges::all_of(value.uses, [&](const Use& use) {
    return std::ranges::find(norm.nodes, use.node) != norm.nodes.end();
  });
}

std::string why_not_constant(const Graph& graph, const patterns::NormMatch& norm, ValueId constant,
                             std::string_view what) {
  const Tensor* tensor = graph.constant(constant);
  if (tensor == nullptr) return fmt::format("its {} is computed, not stored", what);
  if (tensor->dtype() != DType::float32) {
    return fmt::format("its {} is stored as {}, not float32", what, name(tensor->dtype()));
  }
  if (!std::ranges::all_of(tensor->as<float>(), [](float x) { return std::isfinite(x); })) {
    return fmt::format("its {} holds NaN or infinity", what);
  }
  if (!is_own(graph, norm, constant)) return fmt::format("others share its {}", what);
  return "";
}

std::string why_not(const Graph& graph, const patterns::NormMatch& norm, const Model* original) {
  if (norm.gain == kNoValue) return "it has no gain";
  if (std::string why = why_not_constant(graph, norm, norm.gain, "gain"); !why.empty()) return why;
  const auto width = static_cast<std::int64_t>(graph.constant(norm.gain)->size());
  if (norm.shift != kNoValue) {
    if (std::string why = why_not_constant(graph, norm, norm.shift, "shift"); !why.empty()) {
      return why;
    }
    if (norm.shift == norm.gain ||
        static_cast<std::int64_t>(graph.constant(norm.shift)->size()) != width) {
      return "its gain and shift are not two vectors of one size";
    }
  }
  if (graph.constant(norm.gain)->dims().empty() ||
      graph.constant(norm.gain)->dims().back() != width) {
    return "it goes over more than the last axis";
  }
  if (norm.input_bias != kNoValue && graph.constant(norm.input_bias) == nullptr) {
    return "the bias of its input is computed";
  }
  if (original == nullptr) return "";
  for (const ValueId value : {norm.input, norm.residual}) {
    if (value == kNoValue) continue;
    // One of the norm's nodes reads it, in both models.
    std::string why;
    for (const Use& use : graph.value(value).uses) {
      if (std::ranges::find(norm.nodes, use.node) == norm.nodes.end()) continue;
      why = why_not_comparable(original->graph, graph, value, use.node);
      if (why.empty()) break;
    }
    if (!why.empty()) return why;
  }
  return "";
}

// The constant's elements within the norm.
void set_vector(Graph& graph, const patterns::NormMatch& norm, ValueId old,
                std::vector<float> values) {
  Tensor tensor = Tensor::of<float>(graph.constant(old)->dims(), std::move(values));
  if (!graph.value(old).producer) {
    graph.set_constant(old, std::move(tensor));
    return;
  }
  const ValueId fresh = graph.add_constant(graph.value(old).name + "_fitted", std::move(tensor));
  for (const NodeId id : norm.nodes) {
    for (std::size_t i = 0; i < graph.node(id).inputs.size(); ++i) {
      if (graph.node(id).inputs[i] == old) graph.set_input(id, i, fresh);
    }
  }
}

std::vector<float> elements(const Graph& graph, ValueId constant) {
  if (constant == kNoValue) return {};
  const auto values = graph.constant(constant)->as<float>();
  return {values.begin(), values.end()};
}

// What is known of one norm, and what becomes of it.
class NormFit {
 public:
  NormFit(const NormRows& rows, std::vector<float> gain, std::vector<float> shift)
      : rows_(rows), gain_(std::move(gain)), shift_(std::move(shift)) {}

  // Returns why the norm stays as it is, or "".
  std::string solve(double ridge_option) {
    if (!rows_.why_not.empty()) return rows_.why_not;
    if (rows_.train.rows() == 0 || rows_.held_out.rows() == 0) {
      return "the data gave it no rows to solve on and to judge by";
    }
    if (rows_.train.size() != gain_.size()) return "it goes over more than the last axis";
    const double energy = rows_.held_out.energy(gain_);
    const auto error = [&](std::span<const Line> lines) {
      return energy > 0 ? std::sqrt(rows_.held_out.residual(lines, gain_) / energy) : 0;
    };
    before_ = error({});
    after_ = before_;
    std::optional<double> best;
    const auto consider = [&](double ridge) {
      const double value = error(rows_.train.fit(ridge, !shift_.empty()));
      if (!(value < after_)) return;
      after_ = value;
      best = ridge;
    };
    if (ridge_option >= 0) {
      consider(ridge_option);
    } else {
      for (const double ridge : kRidges) consider(ridge);
    }
    if (!best) return "no other gain and shift come closer to the original on held-out samples";
    ChannelLines all = rows_.train;
    all += rows_.held_out;
    const auto lines = all.fit(*best, !shift_.empty());
    for (std::size_t c = 0; c < gain_.size(); ++c) {
      if (!shift_.empty()) shift_[c] += static_cast<float>(gain_[c] * lines[c].offset);
      gain_[c] += static_cast<float>(gain_[c] * lines[c].slope);
    }
    return "";
  }

  [[nodiscard]] UnitFigures figures() const {
    return {{"before.output_error", before_}, {"output_error", after_}};
  }
  [[nodiscard]] std::string way() const {
    return fmt::format("refitted: held-out error {:.4f} → {:.4f}", before_, after_);
  }
  [[nodiscard]] const std::vector<float>& gain() const { return gain_; }
  [[nodiscard]] const std::vector<float>& shift() const { return shift_; }

 private:
  const NormRows& rows_;
  std::vector<float> gain_, shift_;
  double before_ = 0, after_ = 0;
};

class FitNorms : public RefitPass {
 public:
  explicit FitNorms(Options options) : options_(std::move(options)) {
    if (options_.ridge < 0 && options_.ridge != -1) {
      throw Error(
          codes::bad_option,
          fmt::format("pass fit_norms: ridge = {}, but it can't be negative", options_.ridge),
          "leave it out, and it is searched");
    }
  }

  [[nodiscard]] bool uses_data() const override { return true; }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    require_samples(context, "norms are");
    PassPlan plan;
    const auto norms = context.view().norms();
    if (norms.empty()) plan.warnings.emplace_back("the model has no norm");
    std::vector<std::string> labels;
    for (const Norm& norm : norms) labels.push_back(norm.label);
    const Selection selection(options_.include, options_.exclude);
    plan.unmatched_globs = selection.unmatched(labels);
    for (std::size_t i = 0; i < norms.size(); ++i) {
      UnitPlan row{.label = norms[i].label, .kind = "norm", .target = static_cast<std::int64_t>(i)};
      const patterns::NormMatch& match = norms[i].match;
      for (const ValueId value : {match.gain, match.shift}) {
        const Tensor* tensor = context.graph().constant(value);
        if (tensor != nullptr)
          row.bytes_before += static_cast<std::int64_t>(tensor->bytes().size());
      }
      row.bytes_after = row.bytes_before;
      row.reason = why_not(context.graph(), match, original());
      if (row.reason.empty()) row.reason = selection.why_not(row.label);
      if (row.reason.empty()) {
        row.decision = Decision::change;
        row.reason = "gain and shift are refitted";
      }
      plan.units.push_back(std::move(row));
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    PassResult result;
    result.changed = plan.changes();
    if (context.dry_run() || result.changed == 0) return result;
    const auto norms = context.view().norms();
    const Model before = original() != nullptr ? *original() : context.model();
    StagedRunOptions run_options;
    run_options.session = context.calibration()->session;
    run_options.pair = true;
    double done = 0;
    run_options.progress = [&](double) { context.step(done); };
    StagedRun run(before, *context.calibration()->set, std::move(run_options));
    for (std::size_t row = 0; row < plan.units.size(); ++row) {
      done = static_cast<double>(row) / static_cast<double>(plan.units.size());
      if (plan.units[row].decision != Decision::change) continue;
      const patterns::NormMatch& match =
          norms[static_cast<std::size_t>(plan.units[row].target)].match;
      const NormRows rows = observe_norm(run, context.model(), match);
      NormFit fit(rows, elements(context.graph(), match.gain),
                  elements(context.graph(), match.shift));
      std::string kept = fit.solve(options_.ridge);
      if (rows.skipped_rows > 0) {
        result.warnings.push_back(fmt::format("{}: {} rows with NaN or infinity are left out",
                                              plan.units[row].label, rows.skipped_rows));
      }
      result.figures[row] = fit.figures();
      if (!kept.empty()) {
        result.ways[row] = std::move(kept);
        result.kept.insert(row);
        --result.changed;
        continue;
      }
      result.ways[row] = fit.way();
      set_vector(context.graph(), match, match.gain, fit.gain());
      if (match.shift != kNoValue) set_vector(context.graph(), match, match.shift, fit.shift());
    }
    context.edited();
    return result;
  }

 private:
  Options options_;
};

}  // namespace

PassInfo fit_norms_info() {
  return {
      "fit_norms", "gains and shifts of norms, refitted to the original's outputs",
      "For use after quantization or pruning. Solves, channel by channel and from bottom to top, "
      "for the gain and shift with which a LayerNorm or RMSNorm comes closest to what it put out "
      "in the model as it came, by least squares on the calibration data; no labels are needed. "
      "A norm keeps its old values unless the new ones are closer on held-out samples. Costs "
      "nothing at run time.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<FitNorms>(read_options(table(), values, "pass fit_norms"));
      }};
}

}  // namespace onnxpress
