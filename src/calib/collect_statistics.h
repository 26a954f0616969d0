// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calib/calibration_set.h"
#include "calib/staged_run.h"
#include "calib/tensor_statistics.h"
#include "model/transformer_view.h"

namespace onnxpress {

// What calibration is about: what the linear units read, in the order in which the graph computes
// it; each tensor once, however many units read it.
[[nodiscard]] std::vector<ValueId> calibrated_values(const Graph& graph,
                                                     const TransformerView& view);

struct CollectionOptions {
  SessionOptions session{};
  StatisticsRequest request{};
  std::function<void(double)> progress{};        // share of all that is to be run
  const std::atomic<bool>* cancelled = nullptr;  // once true: Error (cancelled)
};

// Runs the data through the model once, stage by stage so that the sums of few tensors are in
// memory at a time (about 1 GB, or a single tensor's), and hands over the statistics of each value,
// complete, in the order of `values`, which must be an order in which the graph can compute them.
// The result does not depend on the number of threads. Throws what StagedRun and TensorStatistics
// throw.
void collect_statistics(const Model& model, std::span<const ValueId> values,
                        const CalibrationSet& set, const CollectionOptions& options,
                        const std::function<void(ValueId, TensorStatistics&&)>& take);

// The same of a graph that is being edited: runs up to the values and returns what the edited model
// computes there. `run` goes on from here.
[[nodiscard]] std::map<ValueId, TensorStatistics> observe_statistics(
    StagedRun& run, const Model& edited, std::span<const ValueId> values,
    const StatisticsRequest& request, ThreadPool& pool);

}  // namespace onnxpress
