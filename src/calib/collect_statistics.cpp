// SPDX-License-Identifier: Apache-2.0
#include "calib/collect_statistics.h"

#include <algorithm>
#include <utility>

namespace onnxpress {
namespace {

// Where stages end decides what is fused and so has a say in the last bits: this is no option.
constexpr std::size_t kMostBytes = std::size_t{1} << 30;
constexpr std::size_t kMostAtOnce = 16;  // tensors whose batch is in memory at the same time

// About what the sums of a tensor of this width take.
std::size_t bytes_of_sums(std::int64_t width, const StatisticsRequest& request) {
  const auto k = static_cast<std::size_t>(std::max<std::int64_t>(width, 1));
  std::size_t bytes = 64 * k + request.reservoir_rows * 4 * k;
  if (request.gram && width <= request.most_gram_channels) bytes += 2 * 8 * k * k + 16 * k * k;
  return bytes;
}

std::int64_t width_of(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (value.shape && !value.shape->empty() && value.shape->back().known()) {
    return value.shape->back().size;
  }
  for (const Use& use : value.uses) {  // a product's weight has as many rows
    for (const ValueId input : graph.node(use.node).inputs) {
      const Tensor* weight = graph.constant(input);
      if (weight != nullptr && weight->rank() == 2) return std::ranges::max(weight->dims());
    }
  }
  return 1024;
}

}  // namespace

std::vector<ValueId> calibrated_values(const Graph& graph, const TransformerView& view) {
  std::vector<bool> wanted(graph.value_capacity(), false);
  for (const LinearUnit& unit : view.units()) {
    if (unit.input != kNoValue) wanted[static_cast<std::size_t>(unit.input)] = true;
  }
  std::vector<ValueId> values;
  const auto take = [&](ValueId id) {
    if (id == kNoValue || !wanted[static_cast<std::size_t>(id)]) return;
    values.push_back(id);
    wanted[static_cast<std::size_t>(id)] = false;
  };
  for (const ValueId id : graph.inputs()) take(id);
  for (const NodeId id : graph.nodes()) {
    for (const ValueId output : graph.node(id).outputs) take(output);
  }
  return values;
}

std::map<ValueId, TensorStatistics> observe_statistics(StagedRun& run, const Model& edited,
                                                       std::span<const ValueId> values,
                                                       const StatisticsRequest& request,
                                                       ThreadPool& pool) {
  std::map<ValueId, TensorStatistics> statistics;
  Gram scratch;
  run.advance(edited, values, [&](const Activations& activations) {
    const ValidRows rows = valid_rows(activations);
    auto [at, is_new] = statistics.try_emplace(activations.value);
    if (is_new) at->second = TensorStatistics(rows.width, request);
    at->second.add(rows, scratch, pool);
  });
  for (auto& [id, collected] : statistics) collected.finish(scratch, pool);
  return statistics;
}

void collect_statistics(const Model& model, std::span<const ValueId> values,
                        const CalibrationSet& set, const CollectionOptions& options,
                        const std::function<void(ValueId, TensorStatistics&&)>& take) {
  ThreadPool pool(options.session.threads);
  std::size_t done = 0;   // values of earlier stages
  std::size_t count = 0;  // of this one
  StagedRunOptions run_options;
  run_options.session = options.session;
  run_options.cancelled = options.cancelled;
  if (options.progress) {
    run_options.progress = [&](double share) {
      const double reached = static_cast<double>(done) + share * static_cast<double>(count);
      options.progress(reached / static_cast<double>(values.size()));
    };
  }
  StagedRun run(model, set, std::move(run_options));
  for (; done < values.size(); done += count) {
    std::size_t bytes = 0;
    for (count = 0; count < kMostAtOnce && done + count < values.size(); ++count) {
      bytes += bytes_of_sums(width_of(model.graph, values[done + count]), options.request);
      if (count > 0 && bytes > kMostBytes) break;
    }
    const auto stage = values.subspan(done, count);
    auto statistics = observe_statistics(run, model, stage, options.request, pool);
    for (const ValueId id : stage) take(id, std::move(statistics.at(id)));
  }
}

}  // namespace onnxpress
