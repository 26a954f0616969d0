// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/prune_layers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error_codes.h"
#include "passes/pruning/choose_units.h"
#include "passes/pruning/unit_scores.h"
#include "passes/selection.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kOpset = 13;  // from here on Softmax and Split mean one axis
constexpr std::size_t kMostNamed = 16;

std::string_view one(PrunableKind kind) {
  return kind == PrunableKind::heads ? "head" : "neuron";
}

void check_options(PrunableKind kind, const PruneOptions& options) {
  if (!(options.ratio > 0 && options.ratio < 1)) {
    throw Error(
        codes::bad_option,
        fmt::format("pass prune_{}: ratio must lie between 0 and 1, both excluded, and is {}",
                    name(kind), options.ratio),
        "0.25 removes a quarter");
  }
}

// What is done with one layer.
struct LayerPlan {
  std::string why_not;             // "" where units go
  std::vector<std::int64_t> kept;  // units
};

class PruneLayers : public Pass {
 public:
  PruneLayers(PrunableKind kind, PruneOptions options) : kind_(kind), options_(std::move(options)) {
    check_options(kind_, options_);
  }

  [[nodiscard]] std::int64_t needed_opset(PassContext& /*context*/) const override {
    return kOpset;
  }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    PassPlan plan;
    const auto layers = find_prunable_layers(context.graph(), context.view(), kind_);
    const auto decisions = decide(context, layers, plan);
    Graph trial = context.graph();
    trial.remove_unused();
    std::int64_t bytes = weight_bytes(trial);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const PrunableLayer& layer = layers[i];
      std::string why_not = decisions[i].why_not;
      if (why_not.empty()) {
        why_not = cut_layer(trial, layer, decisions[i].kept, true).why_not;
      }
      const std::int64_t now = why_not.empty() ? weight_bytes(trial) : bytes;
      add_rows(context.graph(), layer, decisions[i], why_not, bytes - now, i, plan);
      bytes = now;
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    PassResult result;
    PassPlan again;
    const auto layers = find_prunable_layers(context.graph(), context.view(), kind_);
    const auto decisions = decide(context, layers, again);
    std::vector<bool> changes(layers.size());
    for (const UnitPlan& row : plan.units) {
      if (row.decision == Decision::change) changes[static_cast<std::size_t>(row.target)] = true;
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
      context.step(static_cast<double>(i) / static_cast<double>(layers.size()));
      if (!changes[i]) continue;
      const LayerCut cut = cut_layer(context.graph(), layers[i], decisions[i].kept);
      if (!cut.done()) throw Error(codes::internal_error, cut.why_not, "");
      result.changed += layers[i].readers.size();
    }
    context.edited();
    return result;
  }

 private:
  // Which units of each layer stay. Throws Error where no layer can be pruned at all.
  std::vector<LayerPlan> decide(PassContext& context, const std::vector<PrunableLayer>& layers,
                                PassPlan& plan) const {
    refuse_model(layers);
    const Selection selection(options_.include, options_.exclude);
    std::vector<std::string> labels;
    for (const PrunableLayer& layer : layers) {
      for (const PrunableReader& reader : layer.readers) labels.push_back(reader.label);
    }
    plan.unmatched_globs = selection.unmatched(labels);
    const auto score = make_unit_score(options_.scores, context.graph(), context.view());
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
      ScoredLayer candidate{score->of(layer), layer.parts_per_unit,
                            static_cast<std::int64_t>(layer.readers.size()), multiple(layer)};
      if (!std::ranges::all_of(candidate.scores, [](double s) { return std::isfinite(s); })) {
        decision.why_not = "its weights hold NaN or infinity";
        plan.not_finite.push_back(layer.label());
        continue;
      }
      scored.push_back(std::move(candidate));
      index.push_back(i);
    }
    check_count(layers, scored, index);
    const PruningTarget target{options_.ratio, options_.count, options_.scope == "layer"};
    const auto kept = choose_units(scored, target, score->compares_layers());
    for (std::size_t k = 0; k < index.size(); ++k) {
      LayerPlan& decision = decisions[index[k]];
      decision.kept = kept[k];
      if (decision.kept.size() == scored[k].scores.size()) decision.why_not = nothing(scored[k]);
    }
    return decisions;
  }

  void refuse_model(const std::vector<PrunableLayer>& layers) const {
    if (layers.empty()) {
      throw Error(codes::unsupported_model,
                  fmt::format("pass prune_{}: the model has no {} block", name(kind_), block()));
    }
    for (const PrunableLayer& layer : layers) {
      if (layer.possible()) return;
    }
    const bool quantized = layers.front().quantized;
    throw Error(
        quantized ? codes::already_quantized : codes::unsupported_model,
        fmt::format("pass prune_{}: none of {} {} blocks can be pruned; {}: {}", name(kind_),
                    layers.size(), block(), layers.front().label(), layers.front().why_not),
        quantized ? "put the pruning pass first in the recipe, or start from the float model"
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
        refuse_count(fmt::format("{} has {} {}", layers[index[k]].label(), parts, name(kind_)));
      }
    }
    if (options_.scope != "layer" && options_.count > removable) {
      refuse_count(fmt::format("at most {} {} can go", removable, name(kind_)));
    }
  }

  void refuse_count(const std::string& why) const {
    throw Error(
        codes::bad_option,
        fmt::format("pass prune_{}: count = {}, but {} and each layer keeps at least one {}",
                    name(kind_), options_.count, why, one(kind_)),
        "give a smaller count");
  }

  [[nodiscard]] std::string nothing(const ScoredLayer& layer) const {
    if (options_.scope == "global" && layer.multiple_of == 1) return "others have lower scores";
    return fmt::format("less than one step of {} {} would go",
                       layer.parts_per_unit * layer.multiple_of, one(kind_));
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
        row.reason = r == 0
                         ? removed(layer, decision)
                         : fmt::format("shares weights with {} and is cut with it", layer.label());
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
      return fmt::format("{} of {} {} go", gone.size(), all, name(kind_));
    }
    return fmt::format("{} {} of {} go{}", gone.size() == 1 ? "head" : "heads",
                       fmt::join(gone, ", "), all, gone.size() == 1 ? "es" : "");
  }

  PrunableKind kind_;
  PruneOptions options_;
};

}  // namespace

OptionTable<PruneOptions> prune_option_table(PrunableKind kind) {
  const bool heads = kind == PrunableKind::heads;
  return {
      {"ratio", &PruneOptions::ratio,
       heads ? "share of the heads that go, between 0 and 1"
             : "share of the neurons that go, between 0 and 1"},
      {"count",
       &PruneOptions::count,
       "how many go instead: of each layer, or of the model; 0: by ratio",
       {},
       0},
      {"scope",
       &PruneOptions::scope,
       "the lowest scores of the whole model go, or of each layer",
       {"global", "layer"}},
      {"scores", &PruneOptions::scores,
       heads ? "what a head is worth: the norm of its rows of the output projection"
             : "what a neuron is worth: the norms of its column of up and its row of down",
       unit_score_names()},
      {"include", &PruneOptions::include,
       heads ? "globs over output projections: only these"
             : "globs over down products: only these"},
      {"exclude", &PruneOptions::exclude,
       heads ? "globs over output projections: not these" : "globs over down products: not these"}};
}

std::unique_ptr<Pass> prune_pass(PrunableKind kind, PruneOptions options) {
  return std::make_unique<PruneLayers>(kind, std::move(options));
}

}  // namespace onnxpress
