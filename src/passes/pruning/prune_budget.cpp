// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/prune_budget.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error_codes.h"
#include "data/input_spec.h"
#include "eval/synthetic_inputs.h"
#include "passes/pruning/measure_latency.h"

namespace onnxpress {
namespace {

constexpr double kRounding = 1e-9;  // the whole of what can go may be asked for

std::string amount(const PruneOptions& options, double value) {
  return options.budget == "size" ? fmt::format("{:.2f} MB", value / 1e6)
                                  : fmt::format("{:.3g} ms", value);
}

}  // namespace

CutSavings savings_of(PassContext& context, const PruneOptions& options,
                      std::span<const PrunableLayer* const> layers) {
  if (options.budget == "size") return size_savings(context.graph(), layers);
  if (!options.latency_table.empty()) {
    const LatencyTable table = read_latency_table(options.latency_table);
    if (!options.latency_shape.empty()) {
      // As the table has it: sizes that the model fixes, and no tokens where it takes none.
      const InputSizes asked =
          fitting_sizes(input_specs(context.graph()), parse_sizes(options.latency_shape));
      if (to_text(asked) != to_text(table.sizes)) {
        throw Error(codes::bad_option,
                    fmt::format("{} was measured at {}, but latency_shape is {}", table.source,
                                to_text(table.sizes), options.latency_shape),
                    "leave latency_shape out, or measure another table");
      }
    }
    return latency_savings(table, layers);
  }
  MeasureLatencyOptions measuring;
  if (context.calibration() != nullptr) measuring.session = context.calibration()->session;
  if (measuring.session.threads == 0) measuring.session.threads = context.pool().threads();
  if (!options.latency_shape.empty()) measuring.sizes = parse_sizes(options.latency_shape);
  measuring.tick = [&](double /*done*/) { context.step(0); };
  return latency_savings(measure_latency(context.model(), layers, measuring), layers);
}

PruningTarget savings_target(PrunableKind kind, const PruneOptions& options,
                             const CutSavings& savings, const std::vector<ScoredLayer>& scored) {
  PruningTarget target;
  target.ratio = options.ratio;
  target.least = options.ratio * savings.total;
  target.savings = savings.layers;
  double most = 0;
  for (std::size_t i = 0; i < scored.size(); ++i) {
    double saved = 0;
    for (const std::int64_t gone : possible_cuts(scored[i])) {
      saved = std::max(saved, savings.layers[i][static_cast<std::size_t>(gone)]);
    }
    most += saved;
  }
  if (target.least <= most * (1 + kRounding) && most > 0) return target;
  throw Error(codes::bad_option,
              fmt::format("ratio = {} of the model's {} is {} of {}, but the {} of "
                          "{} layers hold {}, a ratio of {:.3f}",
                          options.ratio, options.budget, amount(options, target.least),
                          amount(options, savings.total), name(kind), scored.size(),
                          amount(options, most), most / savings.total),
              "give a smaller ratio");
}

}  // namespace onnxpress
