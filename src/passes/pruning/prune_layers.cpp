// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/prune_layers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "base/error_codes.h"
#include "passes/pruning/choose_units.h"
#include "passes/pruning/measured_choice.h"
#include "passes/pruning/prune_budget.h"
#include "passes/pruning/refit_readers.h"
#include "passes/pruning/unit_scores.h"
#include "passes/selection.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kOpset = 13;  // from here on Softmax and Split mean one axis
constexpr std::size_t kMostNamed = 16;
constexpr double kShareOfChoice = 0.7;  // of the time, where units are chosen on data

std::string_view one(PrunableKind kind) {
  return kind == PrunableKind::heads ? "head" : "neuron";
}

std::string counted(std::int64_t count, PrunableKind kind) {
  return fmt::format("{} {}", count, count == 1 ? one(kind) : name(kind));
}

// What is done with one layer.
struct LayerPlan {
  std::string why_not;             // "" where units go
  std::vector<std::int64_t> kept;  // units
  UnitFigures figures{};
};

class PruneLayers : public Pass {
 public:
  PruneLayers(PrunableKind kind, PruneOptions options) : kind_(kind), options_(std::move(options)) {
    check_options(kind_, options_);
  }

  [[nodiscard]] std::int64_t needed_opset(PassContext& /*context*/) const override {
    return kOpset;
  }

  [[nodiscard]] bool uses_data() const override {
    return options_.refit || options_.scores != "norm";
  }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    PassPlan plan;
    savings_.reset();
    const auto layers = find_prunable_layers(context.graph(), context.view(), kind_);
    const bool later = chooses_on_data(context);
    const auto decisions = decide(context, layers, plan, false);
    Graph trial = context.graph();
    trial.remove_unused();
    std::int64_t bytes = weight_bytes(trial);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const PrunableLayer& layer = layers[i];
      if (later) {
        add_open_rows(context.graph(), layer, decisions[i], i, plan);
        continue;
      }
      std::string why_not = decisions[i].why_not;
      if (why_not.empty()) {
        why_not = cut_layer(trial, layer, decisions[i].kept, true).why_not;
      }
      const std::int64_t now = why_not.empty() ? weight_bytes(trial) : bytes;
      add_rows(context.graph(), layer, decisions[i], why_not, bytes - now, i, plan);
      bytes = now;
    }
    if (!has_data(context) && !context.dry_run() && uses_data()) {
      plan.warnings.push_back(fmt::format(
          "without data {} go by the norms of their weights, and nothing makes up for them: --data "
          "loses far less",
          name(kind_)));
    }
    if (context.dry_run() && options_.scores != "norm") {
      plan.warnings.push_back(fmt::format(
          "a dry run chooses {} by the norms of their weights; on data others may go, so that the "
          "size is about right only",
          name(kind_)));
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    PassResult result;
    PassPlan again;
    const auto layers = find_prunable_layers(context.graph(), context.view(), kind_);
    const bool refits = has_data(context) && !context.dry_run() && options_.refit;
    const bool measures = chooses_on_data(context);
    const auto decisions = decide(context, layers, again, measures);
    std::vector<std::vector<std::size_t>> rows(layers.size());  // of the plan, by layer
    std::set<std::size_t> changes;
    for (std::size_t row = 0; row < plan.units.size(); ++row) {
      const auto layer = static_cast<std::size_t>(plan.units[row].target);
      rows[layer].push_back(row);
      if (plan.units[row].decision == Decision::change) changes.insert(layer);
    }
    const Model original = context.model();
    std::vector<NodeId> cut_readers;
    std::vector<std::size_t> cut_rows;  // of the plan
    std::int64_t bytes = weight_bytes(context.graph());
    for (const std::size_t i : changes) {
      context.step(kShareOfChoice * measures +
                   0.01 * static_cast<double>(i) / static_cast<double>(layers.size()));
      std::string why_not = decisions[i].why_not;
      if (why_not.empty()) {
        const LayerCut cut = cut_layer(context.graph(), layers[i], decisions[i].kept);
        why_not = cut.why_not;
        if (!cut.done() && !measures) throw Error(codes::internal_error, why_not, "");
        for (std::size_t r = 0; r < cut.rows.size(); ++r) {
          cut_readers.push_back(layers[i].readers[r].product);
          cut_rows.push_back(rows[i][r]);
        }
      }
      Graph left = context.graph();
      left.remove_unused();
      const std::int64_t saved = bytes - weight_bytes(left);
      bytes -= saved;
      for (std::size_t r = 0; r < rows[i].size(); ++r) {
        const std::size_t row = rows[i][r];
        if (!why_not.empty()) {
          result.kept.insert(row);
          result.ways[row] = why_not;
          continue;
        }
        ++result.changed;
        result.ways[row] = way(layers[i], decisions[i], r);
        result.figures[row] = decisions[i].figures;
        if (r == 0 && measures) result.bytes_after[row] = plan.units[row].bytes_before - saved;
      }
    }
    context.edited();
    if (refits && !cut_readers.empty()) {
      const double first = measures ? kShareOfChoice : 0;
      const Selection selection(options_.include, options_.exclude);
      const RefitOfReaders refit = refit_readers(
          context, original, cut_readers,
          [&](const std::string& label) { return selection.why_not(label).empty(); },
          [&](double done) { context.step(first + (1 - first) * done); });
      for (std::size_t i = 0; i < cut_rows.size(); ++i) note(refit.readers[i], cut_rows[i], result);
      if (refit.others > 0) {
        result.ways[cut_rows.back()] +=
            fmt::format("; {} units behind the first cut refitted, too", refit.others);
      }
    }
    return result;
  }

 private:
  [[nodiscard]] static bool has_data(const PassContext& context) {
    return context.calibration() != nullptr && context.calibration()->set;
  }

  // What units are worth by data; nothing: by their weights.
  [[nodiscard]] std::optional<DataScore> data_score(const PassContext& context) const {
    if (options_.scores == "auto" && has_data(context)) return DataScore::ablation;
    if (options_.scores == "activation") return DataScore::activation;
    if (options_.scores == "obs") return DataScore::obs;
    if (options_.scores == "ablation") return DataScore::ablation;
    return std::nullopt;
  }

  // A dry run makes about the same bytes by norms.
  [[nodiscard]] bool chooses_on_data(const PassContext& context) const {
    return data_score(context) && has_data(context) && !context.dry_run();
  }

  static void note(const ReaderRefit& refit, std::size_t row, PassResult& result) {
    if (refit.measured) {
      result.figures[row].emplace_back("cut.output_error", refit.error_before);
      result.figures[row].emplace_back("output_error", refit.error);
    }
    result.ways[row] += refit.why_not.empty() ? ", the rest refitted"
                                              : fmt::format(", not refitted: {}", refit.why_not);
  }

  // Which units of each layer stay: on data where `measure`, else by norms. Throws Error where no
  // layer can be pruned at all.
  std::vector<LayerPlan> decide(PassContext& context, const std::vector<PrunableLayer>& layers,
                                PassPlan& plan, bool measure) const {
    refuse_model(layers);
    if (data_score(context) && !has_data(context) && !context.dry_run()) {
      throw Error(codes::missing_data,
                  fmt::format("scores = {} needs data to measure on", options_.scores),
                  "add --data, or take scores = norm");
    }
    const Selection selection(options_.include, options_.exclude);
    std::vector<std::string> labels;
    for (const PrunableLayer& layer : layers) {
      for (const PrunableReader& reader : layer.readers) labels.push_back(reader.label);
    }
    plan.unmatched_globs = selection.unmatched(labels);
    std::vector<LayerPlan> decisions(layers.size());
    std::vector<ScoredLayer> scored;
    std::vector<std::size_t> index;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const PrunableLayer& layer = layers[i];
      LayerPlan& decision = decisions[i];
      decision.why_not = layer.why_not;
      plan.already_quantized |= layer.quantized;
      for (const PrunableReader& reader : layer.readers) {
        if (decision.why_not.empty()) decision.why_not = selection.why_not(reader.label);
      }
      if (!decision.why_not.empty()) continue;
      ScoredLayer candidate{norm_scores(context.graph(), context.view(), layer),
                            layer.parts_per_unit, static_cast<std::int64_t>(layer.readers.size()),
                            multiple(layer)};
      if (!std::ranges::all_of(candidate.scores, [](double s) { return std::isfinite(s); })) {
        decision.why_not = "its weights hold NaN or infinity";
        plan.not_finite.push_back(layer.label());
        continue;
      }
      scored.push_back(std::move(candidate));
      index.push_back(i);
    }
    check_count(layers, scored, index);
    std::vector<const PrunableLayer*> candidates;
    for (const std::size_t i : index) candidates.push_back(&layers[i]);
    PruningTarget target{options_.ratio, options_.count, options_.scope == "layer"};
    if (options_.budget != "units" && !candidates.empty()) {
      if (!savings_) savings_ = savings_of(context, options_, candidates);
      target = savings_target(kind_, options_, *savings_, scored);
    }
    std::vector<LayerChoice> choices;
    if (measure) {
      choices = choose_on_data(context, candidates, scored, target, *data_score(context),
                               [&](double done) { context.step(kShareOfChoice * done); });
    } else {
      for (auto& kept : choose_units(scored, target, false)) {
        choices.push_back({std::move(kept), {}});
      }
    }
    for (std::size_t k = 0; k < index.size(); ++k) {
      LayerPlan& decision = decisions[index[k]];
      decision.kept = std::move(choices[k].kept);
      decision.figures = std::move(choices[k].figures);
      const std::size_t gone = scored[k].scores.size() - decision.kept.size();
      if (gone == 0) decision.why_not = nothing(scored[k]);
      if (gone > 0 && options_.budget == "latency") {
        decision.figures.emplace_back("saved_ms", target.savings[k][gone]);
      }
    }
    return decisions;
  }

  void refuse_model(const std::vector<PrunableLayer>& layers) const {
    if (layers.empty()) {
      throw Error(codes::unsupported_model, fmt::format("the model has no {} block", block()));
    }
    for (const PrunableLayer& layer : layers) {
      if (layer.possible()) return;
    }
    const bool quantized = layers.front().quantized;
    throw Error(quantized ? codes::already_quantized : codes::unsupported_model,
                fmt::format("none of {} {} blocks can be pruned; {}: {}", layers.size(), block(),
                            layers.front().label(), layers.front().why_not),
                quantized
                    ? "put the pruning pass first in the recipe, or start from the float model"
                    : "see onnxpress inspect --explain");
  }

  [[nodiscard]] std::string_view block() const {
    return kind_ == PrunableKind::heads ? "attention" : "feed-forward";
  }

  [[nodiscard]] std::int64_t multiple(const PrunableLayer& layer) const {
    if (kind_ == PrunableKind::heads) return 1;
    return options_.multiple_of > 0 ? options_.multiple_of : fitting_multiple(layer.units);
  }

  // A count that would leave a layer empty.
  void check_count(const std::vector<PrunableLayer>& layers, const std::vector<ScoredLayer>& scored,
                   const std::vector<std::size_t>& index) const {
    std::int64_t removable = 0;
    for (std::size_t k = 0; k < scored.size(); ++k) {
      const auto units = static_cast<std::int64_t>(scored[k].scores.size());
      const std::int64_t parts = units * scored[k].parts_per_unit;
      removable += (units - 1) * scored[k].all_parts_per_unit();
      if (options_.scope == "layer" && options_.count > parts - scored[k].parts_per_unit) {
        refuse_count(fmt::format("{} has {}", layers[index[k]].label(), counted(parts, kind_)));
      }
    }
    if (options_.scope != "layer" && options_.count > removable) {
      refuse_count(fmt::format("at most {} can go", counted(removable, kind_)));
    }
  }

  void refuse_count(const std::string& why) const {
    throw Error(codes::bad_option,
                fmt::format("count = {}, but {} and each layer keeps at least one {}",
                            options_.count, why, one(kind_)),
                "give a smaller count");
  }

  [[nodiscard]] std::string nothing(const ScoredLayer& layer) const {
    if (options_.budget != "units") return "others lose less for what they save";
    if (options_.scope == "global" && layer.multiple_of == 1) return "others have lower scores";
    return fmt::format("less than one step of {} would go",
                       counted(layer.parts_per_unit * layer.multiple_of, kind_));
  }

  // What is done is found out on data: no bytes are promised.
  void add_open_rows(const Graph& graph, const PrunableLayer& layer, const LayerPlan& decision,
                     std::size_t target, PassPlan& plan) const {
    // Whether units of this layer go is not known by norms either.
    const bool open = decision.why_not.empty() || !decision.kept.empty();
    std::int64_t saved = 0;
    if (open) {
      Graph trial = graph;
      trial.remove_unused();
      const std::int64_t before = weight_bytes(trial);
      std::vector<std::int64_t> kept(static_cast<std::size_t>(layer.units - 1));
      std::iota(kept.begin(), kept.end(), 1);
      if (cut_layer(trial, layer, kept, true).done()) saved = before - weight_bytes(trial);
    }
    LayerPlan one;
    one.kept.resize(static_cast<std::size_t>(std::max<std::int64_t>(0, layer.units - 1)));
    add_rows(graph, layer, one, open ? "" : decision.why_not, saved, target, plan);
    for (std::size_t r = plan.units.size() - layer.readers.size(); r < plan.units.size(); ++r) {
      UnitPlan& row = plan.units[r];
      row.bytes_after = row.bytes_before;
      if (open) row.reason = fmt::format("{} chosen on data", name(kind_));
    }
  }

  [[nodiscard]] std::string way(const PrunableLayer& layer, const LayerPlan& decision,
                                std::size_t reader) const {
    return reader == 0 ? removed(layer, decision)
                       : fmt::format("shares weights with {} and is cut with it", layer.label());
  }

  // Bytes that go are counted at the first block.
  void add_rows(const Graph& graph, const PrunableLayer& layer, const LayerPlan& decision,
                const std::string& why_not, std::int64_t saved, std::size_t target,
                PassPlan& plan) const {
    for (std::size_t r = 0; r < layer.readers.size(); ++r) {
      UnitPlan row{.label = layer.readers[r].label,
                   .kind = fmt::format("{} block", block()),
                   .target = static_cast<std::int64_t>(target)};
      const Tensor* weight = graph.constant(layer.readers[r].weight);
      if (r == 0 && weight != nullptr) {
        row.bytes_before = static_cast<std::int64_t>(weight->bytes().size());
      }
      row.reason = why_not;
      if (why_not.empty()) {
        row.decision = Decision::change;
        const std::int64_t gone = layer.units - static_cast<std::int64_t>(decision.kept.size());
        if (r == 0) row.bytes_before = saved * layer.units / gone;
        row.reason = way(layer, decision, r);
      }
      row.bytes_after = row.bytes_before - (why_not.empty() && r == 0 ? saved : 0);
      plan.units.push_back(std::move(row));
    }
  }

  [[nodiscard]] std::string removed(const PrunableLayer& layer, const LayerPlan& decision) const {
    std::vector<std::int64_t> gone;
    for (std::int64_t unit = 0; unit < layer.units; ++unit) {
      if (std::ranges::binary_search(decision.kept, unit)) continue;
      for (std::int64_t i = 0; i < layer.parts_per_unit; ++i) {
        gone.push_back(unit * layer.parts_per_unit + i);
      }
    }
    const std::int64_t all = layer.units * layer.parts_per_unit;
    if (kind_ == PrunableKind::neurons || gone.size() > kMostNamed) {
      return fmt::format("{} of {} {} go{}", gone.size(), all, name(kind_),
                         gone.size() == 1 ? "es" : "");
    }
    return fmt::format("{} {} of {} go{}", gone.size() == 1 ? "head" : "heads",
                       fmt::join(gone, ", "), all, gone.size() == 1 ? "es" : "");
  }

  PrunableKind kind_;
  PruneOptions options_;
  // Of the layers that can be pruned; kept from plan() for apply(): times are not the same twice.
  mutable std::optional<CutSavings> savings_{};
};

}  // namespace

std::unique_ptr<Pass> prune_pass(PrunableKind kind, PruneOptions options) {
  return std::make_unique<PruneLayers>(kind, std::move(options));
}

}  // namespace onnxpress
