// SPDX-License-Identifier: Apache-2.0
#include "passes/smooth.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "calib/collect_statistics.h"
#include "numerics/smoothing.h"
#include "passes/scale_channels.h"
#include "passes/smoothing_groups.h"
#include "passes/smoothing_inputs.h"

namespace onnxpress {
namespace {

struct Options {
  std::string method = "smoothquant";
  double strength = -1;
  bool insert_mul = false;
  std::int64_t bits = 0;
  std::int64_t group = -1;
  bool per_channel = true, symmetric = true;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"method",
       &Options::method,
       "what will be quantized: inputs and weights (smoothquant), or weights only (awq)",
       {"smoothquant", "awq"}},
      {"strength",
       &Options::strength,
       "how much goes into the weights, 0 to 1; -1: searched for each group of units",
       {},
       -1,
       1},
      {"insert_mul", &Options::insert_mul, "a Mul in front of units where scales fold nowhere"},
      {"bits",
       &Options::bits,
       "bits of the weights that errors are judged with; 0: 8, for awq 4",
       {},
       0,
       8},
      {"group",
       &Options::group,
       "their group; 0: the whole channel; -1: the whole channel, for awq 32",
       {},
       -1},
      {"per_channel", &Options::per_channel, "false: one scale for a whole weight"},
      {"symmetric", &Options::symmetric, "their grid has no zero points"},
      {"include", &Options::include, "globs over units: only these"},
      {"exclude", &Options::exclude, "globs over units: not these"}};
  return rows;
}

SmoothingOptions smoothing_options(const Options& options) {
  SmoothingOptions result;
  const bool awq = options.method == "awq";
  result.method = awq ? SmoothingMethod::awq : SmoothingMethod::smoothquant;
  result.strength = options.strength;
  const std::int64_t bits = options.bits == 0 ? (awq ? 4 : 8) : options.bits;
  const bool blocks = awq && options.per_channel;
  const std::int64_t group = options.group < 0 ? (blocks ? 32 : 0) : options.group;
  result.grid = {static_cast<int>(bits), group, options.symmetric};
  result.grid.per_tensor = !options.per_channel;
  check(result.grid);
  return result;
}

class Smooth : public Pass {
 public:
  explicit Smooth(Options options)
      : options_(std::move(options)), smoothing_(smoothing_options(options_)) {}

  [[nodiscard]] bool uses_data() const override { return true; }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const auto& view = context.view();
    const SmoothingGroups found = groups(context);
    PassPlan plan;
    plan.unmatched_globs = found.unmatched_globs;
    std::set<ValueId> counted;
    for (UnitIndex i = 0; i < view.units().size(); ++i) {
      const LinearUnit& unit = view.units()[i];
      UnitPlan row{.label = unit.label, .kind = "linear", .target = static_cast<std::int64_t>(i)};
      row.bytes_before = counted.insert(unit.weight).second ? unit.weight_bytes : 0;
      row.bytes_after = row.bytes_before;
      row.reason = found.why_not[i];
      plan.units.push_back(std::move(row));
    }
    const bool data = has_smoothing_inputs(context);
    const std::string missing =
        context.calibration() == nullptr
            ? "needs data"
            : "the calibration file has no rows: calibrate with --keep-rows 256";
    if (!data && context.calibration() != nullptr) plan.warnings.push_back(missing);
    for (const SmoothingGroup& group : found.groups) {
      const bool known = data || expected_norm(context, view, found, group) != nullptr;
      for (const UnitIndex i : group.units) {
        plan.units[i].decision = known ? Decision::change : Decision::keep;
        plan.units[i].reason = known ? where(found, group, view) : missing;
      }
      if (known && !group.fold) {
        plan.units[group.units.front()].bytes_after += 4 * view.units()[group.units.front()].in;
      }
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    PassResult result;
    if (plan.changes() == 0) return result;
    const auto& view = context.view();
    const SmoothingGroups found = groups(context);
    if (context.dry_run()) {  // what the scales are makes no difference to the size
      for (const SmoothingGroup& group : found.groups) {
        if (!has_smoothing_inputs(context) &&
            expected_norm(context, view, found, group) == nullptr) {
          continue;
        }
        const std::vector<float> ones(scale_count(found, group, view), 1.0F);
        if (!group.fold) insert_mul(context.graph(), view, group, ones);
        result.changed += group.units.size();
      }
      context.edited();
      return result;
    }
    Work work{context, view, found, context.model(), {}, std::vector<bool>(found.groups.size()),
              result};
    if (!has_smoothing_inputs(context)) {
      for (std::size_t g = 0; g < found.groups.size(); ++g) {
        const auto* norm = expected_norm(context, view, found, found.groups[g]);
        if (norm == nullptr) continue;
        work.inputs = expected_inputs(found.groups[g], *norm, work);
        smooth(g, work);
      }
      context.edited();
      return result;
    }
    observe_smoothing_inputs(
        work.original, wanted_values(work), context, [&](double share) { context.step(share); },
        [&](ValueId value, SmoothingInput&& input) {
          work.inputs[value] = std::move(input);
          for (std::size_t g = 0; g < found.groups.size(); ++g) {
            if (!work.done[g] && complete(g, work)) smooth(g, work);
          }
          forget(work);
        });
    context.edited();
    return result;
  }

 private:
  struct Work {
    PassContext& context;
    const TransformerView& view;
    const SmoothingGroups& found;
    const Model original;
    std::map<ValueId, SmoothingInput> inputs;
    std::vector<bool> done;  // groups
    PassResult& result;
  };

  // Without data, what a norm puts out is all that is known of an input.
  [[nodiscard]] const patterns::NormMatch* expected_norm(const PassContext& context,
                                                         const TransformerView& view,
                                                         const SmoothingGroups& found,
                                                         const SmoothingGroup& group) const {
    if (context.calibration() != nullptr || smoothing_.method != SmoothingMethod::smoothquant) {
      return nullptr;
    }
    if (group.fold) {
      const auto& norm = found.folds.folds[*group.fold].norm;
      return norm ? &view.norms()[*norm].match : nullptr;
    }
    const ValueId input = view.units()[group.units.front()].input;
    const auto norm = std::ranges::find_if(
        view.norms(), [&](const Norm& one) { return one.match.output == input; });
    return norm == view.norms().end() ? nullptr : &norm->match;
  }

  static std::map<ValueId, SmoothingInput> expected_inputs(const SmoothingGroup& group,
                                                           const patterns::NormMatch& norm,
                                                           const Work& work) {
    const Tensor* gain = vector_constant(work.original.graph, norm.gain);
    const Tensor* shift = vector_constant(work.original.graph, norm.shift);
    std::map<ValueId, SmoothingInput> inputs;
    if (!group.fold) {
      const LinearUnit& unit = work.view.units()[group.units.front()];
      std::vector<std::int32_t> columns(static_cast<std::size_t>(unit.in));
      std::iota(columns.begin(), columns.end(), 0);
      inputs.emplace(unit.input, expected_of_norm(gain, shift, columns));
      return inputs;
    }
    const ChannelFold& fold = work.found.folds.folds[*group.fold];
    for (const ChannelReader& reader : fold.readers) {
      std::vector<std::int32_t> columns;
      for (const std::int32_t channel : reader.channel) {
        columns.push_back(fold.columns[static_cast<std::size_t>(channel)]);
      }
      inputs.emplace(work.view.units()[reader.unit].input, expected_of_norm(gain, shift, columns));
    }
    return inputs;
  }

  [[nodiscard]] SmoothingGroups groups(PassContext& context) const {
    UnitOptions selection;
    selection.include = options_.include;
    selection.exclude = options_.exclude;
    return smoothing_groups(context.graph(), context.view(), selection, options_.insert_mul,
                            context.pool());
  }

  static std::string where(const SmoothingGroups& found, const SmoothingGroup& group,
                           const TransformerView& view) {
    if (!group.fold) return "scales in a Mul in front";
    const ChannelFold& fold = found.folds.folds[*group.fold];
    return fmt::format("scales in {}",
                       fold.norm ? view.norms()[*fold.norm].label : view.units()[*fold.unit].label);
  }

  static std::size_t scale_count(const SmoothingGroups& found, const SmoothingGroup& group,
                                 const TransformerView& view) {
    if (group.fold) return found.folds.folds[*group.fold].columns.size();
    return static_cast<std::size_t>(view.units()[group.units.front()].in);
  }

  static std::vector<ValueId> wanted_values(const Work& work) {
    std::set<ValueId> wanted;
    for (const SmoothingGroup& group : work.found.groups) {
      for (const UnitIndex i : group.units) wanted.insert(work.view.units()[i].input);
    }
    std::vector<ValueId> values = calibrated_values(work.original.graph, work.view);
    std::erase_if(values, [&](ValueId value) { return !wanted.contains(value); });
    return values;
  }

  static bool complete(std::size_t index, const Work& work) {
    return std::ranges::all_of(work.found.groups[index].units, [&](UnitIndex i) {
      return work.inputs.contains(work.view.units()[i].input);
    });
  }

  // Inputs that no group waits for any more.
  static void forget(Work& work) {
    std::set<ValueId> wanted;
    for (std::size_t g = 0; g < work.found.groups.size(); ++g) {
      if (work.done[g]) continue;
      for (const UnitIndex i : work.found.groups[g].units)
        wanted.insert(work.view.units()[i].input);
    }
    for (auto& [value, input] : work.inputs) {
      if (!wanted.contains(value)) input = {};
    }
  }

  // The products of the group, those of one input side by side. Nothing where an input is not what
  // the units say, or had no valid rows.
  static std::vector<SmoothedProduct> products(const SmoothingGroup& group, const Work& work) {
    std::vector<SmoothedProduct> found;
    for (std::size_t k = 0; k < group.units.size(); ++k) {
      const LinearUnit& unit = work.view.units()[group.units[k]];
      const SmoothingInput& input = work.inputs.at(unit.input);
      if (input.channels != unit.in) return {};
      SmoothedProduct product;
      product.input = &input;
      if (group.fold) {
        for (const ChannelReader& reader : work.found.folds.folds[*group.fold].readers) {
          if (reader.unit == group.units[k]) product.scale_of = reader.channel;
        }
      } else {
        for (std::int64_t i = 0; i < unit.in; ++i) {
          product.scale_of.push_back(static_cast<std::int32_t>(i));
        }
      }
      const Tensor& weight = *work.original.graph.constant(unit.weight);
      product.weights = to_matrix(*weight_ref(weight, matrix_layout(unit.layout)));
      const auto same = std::ranges::find_if(found, [&](const SmoothedProduct& other) {
        return other.input == product.input && other.scale_of == product.scale_of;
      });
      if (same == found.end()) {
        found.push_back(std::move(product));
      } else {
        same->weights = side_by_side(same->weights, product.weights);
      }
    }
    return found;
  }

  static Matrix side_by_side(const Matrix& a, const Matrix& b) {
    Matrix result(a.rows, a.columns + b.columns);
    for (std::int64_t i = 0; i < a.rows; ++i) {
      std::copy_n(a.row(i), a.columns, result.row(i));
      std::copy_n(b.row(i), b.columns, result.row(i) + a.columns);
    }
    return result;
  }

  void smooth(std::size_t index, Work& work) const {
    const SmoothingGroup& group = work.found.groups[index];
    work.done[index] = true;
    const auto parts = products(group, work);
    Smoothing smoothing;
    if (!parts.empty()) {
      smoothing =
          find_scales(parts, static_cast<std::int64_t>(scale_count(work.found, group, work.view)),
                      smoothing_, work.context.pool());
    }
    for (const UnitIndex i : group.units) {
      work.result.figures[i] = {
          {"before.output_error", smoothing.before},
          {"output_error", smoothing.scales.empty() ? smoothing.before : smoothing.after}};
      if (smoothing.scales.empty()) work.result.kept.insert(i);
      work.result.ways[i] =
          parts.empty() ? "the data gave it no rows"
          : smoothing.scales.empty()
              ? "no scales lower its error on held-out data"
              : fmt::format("{}: {}", where(work.found, group, work.view), smoothing.way);
    }
    if (smoothing.scales.empty()) return;
    Graph& graph = work.context.graph();
    note_scales(group, smoothing.scales, work);
    if (group.fold) {
      scale_channels(graph, work.view, work.found.folds.folds[*group.fold], smoothing.scales);
    } else {
      for (const UnitIndex i : group.units) {
        scale_rows(graph, work.view.units()[i], smoothing.scales);
      }
      const ValueId smoothed = insert_mul(graph, work.view, group, smoothing.scales);
      if (OriginalStatistics* original = work.context.original()) {
        const LinearUnit& unit = work.view.units()[group.units.front()];
        original->scaled(graph.value(smoothed).name, graph.value(unit.input).name,
                         {smoothing.scales.begin(), smoothing.scales.end()});
      }
    }
    work.result.changed += group.units.size();
  }

  // Tells the calibration file's statistics what the units of a fold will read.
  static void note_scales(const SmoothingGroup& group, const std::vector<float>& scales,
                          const Work& work) {
    OriginalStatistics* original = work.context.original();
    if (original == nullptr || !group.fold) return;
    std::set<ValueId> noted;
    for (const ChannelReader& reader : work.found.folds.folds[*group.fold].readers) {
      const ValueId input = work.view.units()[reader.unit].input;
      if (!noted.insert(input).second) continue;
      std::vector<double> divisors;
      for (const std::int32_t channel : reader.channel) {
        divisors.push_back(scales[static_cast<std::size_t>(channel)]);
      }
      const std::string& name = work.context.graph().value(input).name;
      original->scaled(name, name, std::move(divisors));
    }
  }

  static ValueId insert_mul(Graph& graph, const TransformerView& view, const SmoothingGroup& group,
                            const std::vector<float>& scales) {
    const LinearUnit& first = view.units()[group.units.front()];
    const std::string name = graph.value(first.weight).name;
    std::vector<float> factors;
    for (const float scale : scales) factors.push_back(1 / scale);
    const auto count = static_cast<std::int64_t>(factors.size());
    const ValueId factor =
        graph.add_constant(name + "_smoothing", Tensor::of<float>({count}, std::move(factors)));
    const ValueId smoothed = graph.add("Mul", {first.input, factor}, {}, name + "_smoothed", "",
                                       DType::float32, graph.value(first.input).shape);
    for (const UnitIndex i : group.units) graph.set_input(view.units()[i].product, 0, smoothed);
    return smoothed;
  }

  Options options_;
  SmoothingOptions smoothing_;
};

}  // namespace

PassInfo smooth_info() {
  return {
      "smooth", "moves outliers from activations into weights; the model computes the same",
      "Divides the channels that units read by scales and multiplies their weight rows by them, "
      "so that rounding behind it loses less. Scales go into the norm, product or gate in front "
      "where that is exact, or into a Mul with insert_mul. They are searched for each group of "
      "units on calibration data, and kept where they lower its error on held-out samples. "
      "Without data, smoothquant takes what a norm puts out for normal numbers times its gain plus "
      "its shift; inputs that come from elsewhere stay as they are.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<Smooth>(read_options(table(), values, "pass smooth"));
      }};
}

}  // namespace onnxpress
