// SPDX-License-Identifier: Apache-2.0
#include "pipeline/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "base/error_codes.h"
#include "base/thread_pool.h"
#include "io/writer.h"
#include "passes/opset/raise_opset.h"
#include "passes/refit_pass.h"
#include "passes/registry.h"
#include "passes/selection.h"
#include "passes/weight_bytes.h"
#include "pipeline/option_paths.h"

namespace onnxpress {
namespace {

// "37 of 38 units: INT8 per channel (kept: 1)"
std::string summarize(const PassReport& report) {
  if (report.units.empty()) return "nothing to do";
  std::map<std::string, std::size_t> ways;
  std::string what;
  for (const UnitPlan& unit : report.units) {
    if (unit.decision == Decision::change && ++ways[unit.reason] > ways[what]) what = unit.reason;
  }
  if (report.changed == 0) return fmt::format("{} units kept as they are", report.units.size());
  const std::string& kind = report.units.front().kind;
  if (kind == "nodes") return report.units.front().reason;
  const std::size_t kept = report.units.size() - report.changed;
  std::string text = fmt::format("{} of {} {}", report.changed, report.units.size(),
                                 kind == "linear" ? "units" : kind + "s");
  if (ways.size() == 1) text += ": " + what;
  if (kept > 0) text += fmt::format(" (kept: {})", kept);
  return text;
}

void set_metadata(Model& model, std::string_view key, const std::string& value) {
  if (value.empty()) return;
  const auto at =
      std::ranges::find(model.metadata, key, &std::pair<std::string, std::string>::first);
  if (at != model.metadata.end()) {
    at->second = value;
  } else {
    model.metadata.emplace_back(key, value);
  }
}

// Codes can't be cut, factored or fitted, and refits and factors fill zeros: passes that do this
// come before those that round all linear units or make them sparse. One that rounds some of them
// only may come first; the passes themselves say which units are left.
void require_order(const Recipe& recipe) {
  const RecipePass* rounded = nullptr;
  const RecipePass* sparse = nullptr;
  for (const RecipePass& pass : recipe.passes) {
    if (pass.name == "prune_weights") sparse = &pass;
    const bool fills =
        pass.name == "prune_heads" || pass.name == "prune_neurons" || pass.name == "low_rank";
    if (sparse != nullptr && fills) {
      throw Error(
          codes::bad_recipe,
          fmt::format("pass {} comes after {}, whose zeros it would fill", pass.name, sparse->name),
          fmt::format("move {} in front of {}", pass.name, sparse->name));
    }
    const bool some_only = pass.options.contains("include") || pass.options.contains("exclude");
    if (pass.name.starts_with("quantize_") && pass.name != "quantize_embeddings" && !some_only) {
      rounded = &pass;
    }
    if (rounded == nullptr || !(pass.name.starts_with("prune_") || pass.name == "low_rank"))
      continue;
    throw Error(codes::bad_recipe,
                fmt::format("pass {} comes after {}, which leaves codes: they can't be cut or "
                            "fitted any more",
                            pass.name, rounded->name),
                fmt::format("move {} in front of {}", pass.name, rounded->name));
  }
}

class Runner {
 public:
  Runner(Model& model, const Recipe& recipe, const RunOptions& options)
      : model_(model), recipe_(recipe), options_(options), pool_(options.threads) {
    const bool keep = std::ranges::any_of(recipe.passes, [](const RecipePass& pass) {
      return dynamic_cast<const RefitPass*>(make_pass(pass.name, pass.options).get()) != nullptr;
    });
    if (keep && !options.dry_run) original_model_ = model;
    if (options.calibration == nullptr || !options.calibration->file) return;
    original_.emplace(*options.calibration->file);
  }

  std::vector<PassReport> run() {
    require_order(recipe_);
    std::vector<PassReport> reports;
    std::size_t quantized = 0;
    bool already_quantized = false;
    for (index_ = 0; index_ < recipe_.passes.size(); ++index_) {
      const RecipePass& pass = recipe_.passes[index_];
      try {
        if (const std::int64_t opset = opset_to_raise(pass); opset > 0) {
          reports.push_back(raise_opset_for(pass, opset));
        }
        reports.push_back(run_pass(pass, already_quantized));
        require_kept_opset(model_.opset());
      } catch (const Error& error) {
        throw error.in("pass " + pass.name);
      }
      if (is_quantizer(pass)) quantized += reports.back().changed;
    }
    for (const auto& [glob, known] : globs_) {
      if (!known.fits) refuse_glob(glob, known.labels);
    }
    if (already_quantized && quantized == 0) {
      const std::string text = "nothing is left to quantize: what could be is quantized already";
      if (options_.strict) throw Error(codes::already_quantized, text);
      reports.back().warnings.push_back(text);
    }
    return reports;
  }

 private:
  static bool is_quantizer(const RecipePass& pass) { return pass.name.starts_with("quantize_"); }

  [[nodiscard]] std::unique_ptr<Pass> made(const RecipePass& pass) const {
    return make_pass(pass.name, paths_from_here(options_.folder, pass.options));
  }

  void report_progress(double done) const {
    if (options_.cancelled != nullptr && options_.cancelled->load()) throw Cancelled();
    if (!options_.progress) return;
    options_.progress({recipe_.passes[index_].name, index_, recipe_.passes.size(), done});
  }

  PassContext context_of(Model& model) {
    return {model,
            pool_,
            [this](double done) { report_progress(done); },
            options_.calibration,
            options_.dry_run,
            original_ ? &*original_ : nullptr};
  }

  // The opset that the model must be raised to, so that the pass can do what it has to do here; 0
  // if none.
  [[nodiscard]] std::int64_t opset_to_raise(const RecipePass& recipe_pass) {
    const auto pass = made(recipe_pass);
    PassContext context = context_of(model_);
    const std::int64_t needed = pass->needed_opset(context);
    if (needed <= model_.opset()) return 0;
    Model raised = model_;
    raise_opset(raised, needed);
    PassContext raised_context = context_of(raised);
    return pass->plan(raised_context).changes() > 0 ? needed : 0;
  }

  PassReport raise_opset_for(const RecipePass& pass, std::int64_t opset) {
    require_kept_opset(opset);
    bool unused = false;
    PassReport report = run_pass({"upgrade_opset", {{"opset", opset}}}, unused);
    report.warnings.push_back(
        fmt::format("opset {} → {}, which {} needs", opset_, opset, pass.name));
    opset_ = opset;
    return report;
  }

  void require_kept_opset(std::int64_t opset) const {
    if (!options_.keep_opset || opset == opset_) return;
    throw Error(
        codes::unsupported_model,
        fmt::format("needs opset {}, but the model has {} and is to keep it", opset, opset_),
        "leave --keep-opset out, or choose another storage (matmul_nbits needs no opset)");
  }

  PassReport run_pass(const RecipePass& recipe_pass, bool& already_quantized) {
    const auto start = std::chrono::steady_clock::now();
    const PassInfo& info = find_pass(recipe_pass.name);
    const auto pass = made(recipe_pass);
    if (auto* refit = dynamic_cast<RefitPass*>(pass.get()); refit != nullptr && original_model_) {
      refit->compare_with(&*original_model_);
    }
    report_progress(0);
    PassReport report;
    report.name = recipe_pass.name;
    report.options = resolve_options(info.options, recipe_pass.options, "pass " + report.name);
    report.weight_bytes_before = weight_bytes(model_.graph);

    PassContext context = context_of(model_);
    PassPlan plan = pass->plan(context);
    if (options_.strict && !plan.not_finite.empty()) {
      throw Error(codes::tensor_malformed, plan.not_finite.front(),
                  "leave this unit out with --exclude, or export the model again");
    }
    PassResult result = pass->apply(plan, context);
    model_.graph.remove_unused();
    model_.graph.sort();
    model_.graph.verify();

    already_quantized |= plan.already_quantized;
    note_globs(report, plan);
    report.units = std::move(plan.units);
    report.figures = std::move(result.figures);
    for (auto& [row, way] : result.ways) report.units[row].reason = std::move(way);
    for (const auto& [row, bytes] : result.bytes_after) report.units[row].bytes_after = bytes;
    for (const std::size_t row : result.kept) {
      report.units[row].decision = Decision::keep;
      report.units[row].bytes_after = report.units[row].bytes_before;
    }
    report.warnings = std::move(plan.warnings);
    report.warnings.insert(report.warnings.end(), result.warnings.begin(), result.warnings.end());
    report.changed = result.changed;
    report.weight_bytes_after = weight_bytes(model_.graph);
    report.summary = summarize(report);
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report_progress(1);
    return report;
  }

  // A flag gives its globs to all passes; each must fit a unit of one of them.
  void note_globs(const PassReport& report, const PassPlan& plan) {
    for (const auto& [name, value] : report.options) {
      if (name != "include" && name != "exclude") continue;
      for (const std::string& glob : std::get<std::vector<std::string>>(value)) {
        Glob& known = globs_[glob];
        known.fits |= std::ranges::find(plan.unmatched_globs, glob) == plan.unmatched_globs.end();
        for (const UnitPlan& unit : plan.units) known.labels.push_back(unit.label);
      }
    }
  }

  struct Glob {
    bool fits = false;
    std::vector<std::string> labels;  // of the units that it could have fitted
  };
  std::map<std::string, Glob> globs_;
  Model& model_;
  const Recipe& recipe_;
  const RunOptions& options_;
  ThreadPool pool_;
  std::optional<OriginalStatistics> original_;  // the calibration file's
  std::optional<Model> original_model_;         // as it came; shares its weights
  std::size_t index_ = 0;
  std::int64_t opset_ = model_.opset();
};

}  // namespace

bool uses_data(const Recipe& recipe) {
  return std::ranges::any_of(recipe.passes, [](const RecipePass& pass) {
    return make_pass(pass.name, pass.options)->uses_data();
  });
}

RunResult run_recipe(Model model, const Recipe& recipe, const RunOptions& options) {
  RunResult result;
  result.weight_bytes_before = weight_bytes(model.graph);
  if (options.dry_run) result.model = model;
  Model work = std::move(model);
  result.passes = Runner(work, recipe, options).run();
  set_metadata(work, kVersionKey, options.tool_version);
  set_metadata(work, kRecipeKey, hash(recipe));
  if (options.input_sha256) set_metadata(work, kInputKey, options.input_sha256());
  result.weight_bytes_after = weight_bytes(work.graph);
  result.predicted_bytes = serialized_size(work);
  if (!options.dry_run) result.model = std::move(work);
  return result;
}

}  // namespace onnxpress
