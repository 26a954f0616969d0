// SPDX-License-Identifier: Apache-2.0
#include "passes/drop_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/error_codes.h"
#include "model/layers.h"
#include "passes/bypass_layer.h"
#include "passes/output_cost.h"
#include "passes/selection.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

struct Options {
  std::int64_t count = 1;
  double ratio = 0;
  std::vector<std::string> layers;
  std::int64_t samples = 64;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"count", &Options::count, "how many layers go: those whose loss costs least", {}, 1},
      {"ratio", &Options::ratio,
       "the share of the layers that goes instead, above 0 and below 1; 0: by count"},
      {"layers", &Options::layers,
       "these go instead, whatever they cost: numbers from 0, or globs over their names"},
      {"samples",
       &Options::samples,
       "samples that the cost of a layer is measured on, at most",
       {},
       1}};
  return rows;
}

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 10 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

class DropLayers : public Pass {
 public:
  explicit DropLayers(Options options) : options_(std::move(options)) {
    if (options_.ratio >= 0 && options_.ratio < 1) return;
    throw Error(
        codes::bad_option,
        fmt::format("pass drop_layers: ratio must lie between 0 and 1, 1 excluded, and is {}",
                    options_.ratio),
        "0.25 removes a quarter of the layers");
  }

  [[nodiscard]] bool uses_data() const override { return options_.layers.empty(); }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const TransformerLayers found = find_layers(context.graph(), context.view());
    const auto& layers = found.layers;
    if (layers.empty()) {
      throw Error(codes::unsupported_model,
                  fmt::format("no whole layer was found{}",
                              found.unplaced.empty() ? "" : "; " + found.unplaced.front()),
                  "see onnxpress inspect --explain");
    }
    PassPlan plan;
    const std::vector<bool> wanted = wanted_layers(layers);
    Graph whole = context.graph();
    whole.remove_unused();
    const std::int64_t bytes = weight_bytes(whole);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      UnitPlan row{
          .label = layers[i].label, .kind = "layer", .target = static_cast<std::int64_t>(i)};
      Graph trial = context.graph();
      row.reason = bypass_layer(trial, context.view(), layers[i]);
      const bool possible = row.reason.empty();
      if (possible) row.bytes_before = bytes - weight_bytes(trial);
      row.bytes_after = row.bytes_before;
      if (possible && wanted[i]) {
        row.decision = Decision::change;
        row.reason = options_.layers.empty() ? "those whose loss costs least go" : "goes";
        if (!options_.layers.empty()) row.bytes_after = 0;
      } else if (!possible && wanted[i] && !options_.layers.empty()) {
        throw Error(codes::unsupported_model,
                    fmt::format("layer {} ({}) can't go: {}", i, row.label, row.reason));
      } else if (possible) {
        row.reason = "not among those that are named";
      }
      plan.units.push_back(std::move(row));
    }
    for (const std::string& why : found.unplaced) plan.warnings.push_back(why);
    if (options_.layers.empty()) require_enough(context, plan);
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    PassResult result;
    std::vector<TransformerLayer> layers = find_layers(context.graph(), context.view()).layers;
    if (!options_.layers.empty()) {
      for (std::size_t i = 0; i < layers.size(); ++i) {
        if (plan.units[i].decision == Decision::change) drop(context, layers, i, result);
      }
    } else if (context.dry_run()) {
      drop_last(plan, context, layers, result);
    } else {
      drop_cheapest(plan, context, layers, result);
    }
    context.edited();
    return result;
  }

 private:
  [[nodiscard]] std::size_t how_many(std::size_t layers) const {
    if (options_.ratio == 0) return static_cast<std::size_t>(options_.count);
    const auto share = std::llround(options_.ratio * static_cast<double>(layers));
    return static_cast<std::size_t>(std::max<long long>(share, 1));
  }

  // Those that are named; all where none is.
  [[nodiscard]] std::vector<bool> wanted_layers(const std::vector<TransformerLayer>& layers) const {
    std::vector<bool> wanted(layers.size(), options_.layers.empty());
    std::vector<std::string> labels;
    for (const TransformerLayer& layer : layers) labels.push_back(layer.label);
    for (const std::string& text : options_.layers) {
      if (is_number(text)) {
        const auto index = static_cast<std::size_t>(std::stoul(text));
        if (index >= layers.size()) {
          throw Error(
              codes::bad_option,
              fmt::format("there is no layer {}: the model has {}, from 0", text, layers.size()));
        }
        wanted[index] = true;
        continue;
      }
      bool fits = false;
      for (std::size_t i = 0; i < layers.size(); ++i) {
        if (!matches_glob(text, labels[i])) continue;
        wanted[i] = fits = true;
      }
      if (!fits) refuse_glob(text, labels);
    }
    if (!options_.layers.empty() && std::ranges::count(wanted, true) == std::ssize(layers)) {
      refuse_all(layers.size());
    }
    return wanted;
  }

  [[noreturn]] static void refuse_all(std::size_t layers) {
    throw Error(codes::bad_option,
                fmt::format("the model has {} layer{}, and at least one must stay", layers,
                            layers == 1 ? "" : "s"),
                "let fewer go");
  }

  void require_enough(const PassContext& context, const PassPlan& plan) const {
    const std::size_t count = how_many(plan.units.size());
    if (count >= plan.units.size()) refuse_all(plan.units.size());
    if (count > plan.changes()) {
      const auto kept = std::ranges::find(plan.units, Decision::keep, &UnitPlan::decision);
      throw Error(codes::unsupported_model,
                  fmt::format("{} of {} layers should go, but only {} can; {}: {}", count,
                              plan.units.size(), plan.changes(), kept->label, kept->reason));
    }
    const bool samples = context.calibration() != nullptr && context.calibration()->set;
    if (samples || context.dry_run()) return;
    throw Error(codes::missing_data, "which layers matter least is measured on samples",
                "add --data and, for text, --tokenizer; or name them: drop_layers.layers = [3, 4]");
  }

  // Takes layer i out.
  static void drop(PassContext& context, std::vector<TransformerLayer>& layers, std::size_t i,
                   PassResult& result) {
    if (const std::string why = bypass_layer(context.graph(), context.view(), layers[i]);
        !why.empty()) {
      throw Error(codes::internal_error, layers[i].label + ": " + why);
    }
    follow(layers, i);
    result.bytes_after[i] = 0;
    ++result.changed;
  }

  // What left layer i is now what entered it.
  static void follow(std::vector<TransformerLayer>& layers, std::size_t i) {
    for (TransformerLayer& layer : layers) {
      if (layer.entering == layers[i].leaving) layer.entering = layers[i].entering;
    }
  }

  // What the size will be says a dry run; which layers go depends on data.
  void drop_last(const PassPlan& plan, PassContext& context, std::vector<TransformerLayer>& layers,
                 PassResult& result) const {
    std::size_t left = how_many(layers.size());
    for (std::size_t i = layers.size(); i-- > 0;) {
      if (plan.units[i].decision != Decision::change) continue;
      if (left > 0) {
        drop(context, layers, i, result);
        --left;
      } else {
        result.kept.insert(i);
      }
    }
    result.warnings.emplace_back("which layers go depends on data: a dry run takes the last ones");
  }

  // One after the other: each time that without which, beside those that are gone, the outputs
  // change least.
  void drop_cheapest(const PassPlan& plan, PassContext& context,
                     std::vector<TransformerLayer>& layers, PassResult& result) const {
    std::vector<std::size_t> candidates;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (plan.units[i].decision == Decision::change) candidates.push_back(i);
    }
    const std::size_t count = how_many(layers.size());
    const std::size_t runs = count * candidates.size() - count * (count - 1) / 2;
    std::size_t run = 0;
    OutputCostOptions cost_options;
    cost_options.session = context.calibration()->session;
    cost_options.samples = options_.samples;
    cost_options.tick = [&] {
      context.step(static_cast<double>(run) / static_cast<double>(runs + 1));
    };
    const OutputCost judge(context.model(), *context.calibration()->set, cost_options);
    const std::string metric(judge.metric());
    for (std::size_t round = 0; round < count; ++round) {
      std::optional<std::size_t> best;
      double least = 0;
      for (std::size_t k = 0; k < candidates.size(); ++k) {
        const std::size_t i = candidates[k];
        Model trial = context.model();
        if (!bypass_layer(trial.graph, context.view(), layers[i]).empty()) continue;
        const double cost = judge.of(trial);
        ++run;
        if (round == 0) {
          result.figures[i] = {{judge.is_divergence() ? "kl" : "output_error", cost}};
          result.ways[i] = fmt::format("stays: {} {:.5f} if it went", metric, cost);
        }
        if (best && !(cost < least)) continue;
        best = k;
        least = cost;
      }
      if (!best) break;
      const std::size_t i = candidates[*best];
      result.ways[i] =
          fmt::format("dropped as number {}: {} {:.5f} in all", round + 1, metric, least);
      drop(context, layers, i, result);
      candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(*best));
    }
    result.kept.insert(candidates.begin(), candidates.end());
  }

  Options options_;
};

}  // namespace

PassInfo drop_layers_info() {
  return {
      "drop_layers", "whole layers go: attention, feed-forward block, residuals and norms",
      "Takes out the layers whose loss costs least, one after the other: each is bypassed in "
      "turn and the outputs compared with the model's on calibration samples, by the mean KL of "
      "the logits, or by the relative error where there are none. Or those that are named. What "
      "entered the layer then stands where its result stood. A layer of which anything is read "
      "elsewhere, or that changes the shape, stays, with the reason.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<DropLayers>(read_options(table(), values, "pass drop_layers"));
      }};
}

}  // namespace onnxpress
