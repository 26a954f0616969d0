// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "eval/synthetic_inputs.h"
#include "exec/session.h"
#include "onnxpress/document.h"

namespace onnxpress {

struct LatencyOptions {
  int warm_up = 3;    // runs that don't count, of each model
  int min_runs = 15;  // of each model; more until `seconds` are over
  int max_runs = 300;
  double seconds = 0.6;     // of each model
  double max_seconds = 30;  // of each model: then even min_runs are cut short (but never to 0)
  const std::atomic<bool>* cancelled = nullptr;  // once true: Error (cancelled)
};

// A model and what it is run on; neither is owned.
struct TimedModel {
  const Session* session = nullptr;
  const TensorMap* inputs = nullptr;
};

// Times models in turns. Blocks of a few runs alternate between the models, so that
// noise and changing clock rates of the machine hit all alike; the first run of a block only brings
// the weights back into the caches. One list of milliseconds a model, equally long.
[[nodiscard]] std::vector<std::vector<double>> time_interleaved(std::span<const TimedModel> models,
                                                                const LatencyOptions& options);

// p50, p95 and the rest of one model's times.
[[nodiscard]] Latency summarize(const Session& session, const InputSizes& sizes,
                                const std::vector<double>& times_ms);

// How much faster the second is: ratio of the medians, with an interval from the bootstrap over
// pairs of runs.
[[nodiscard]] Metric speedup(const std::vector<double>& before_ms,
                             const std::vector<double>& after_ms, std::uint64_t seed);

// The most memory this process has had in use, from the operating system; 0 where it does not say.
[[nodiscard]] std::int64_t peak_memory_bytes();
// Starts the count of peak_memory_bytes() afresh, where the operating system lets us.
bool reset_peak_memory();

}  // namespace onnxpress
