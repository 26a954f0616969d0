// SPDX-License-Identifier: Apache-2.0
#include "eval/latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <string>

#include "base/error_codes.h"
#include "eval/statistics.h"

namespace onnxpress {
namespace {

constexpr int kBlock = 5;  // timed runs before it is the next model's turn
constexpr double kUnstableVariation = 0.1;

double milliseconds(const TimedModel& model) {
  const auto start = std::chrono::steady_clock::now();
  const TensorMap outputs = model.session->run(*model.inputs);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double median_of_drawn(const std::vector<double>& values, std::span<const std::uint32_t> times) {
  std::vector<double> drawn;
  for (std::size_t i = 0; i < values.size(); ++i) drawn.insert(drawn.end(), times[i], values[i]);
  return quantile(std::move(drawn), 0.5);
}

}  // namespace

std::vector<std::vector<double>> time_interleaved(std::span<const TimedModel> models,
                                                  const LatencyOptions& options) {
  std::vector<std::vector<double>> times(models.size());
  for (const TimedModel& model : models) {
    for (int i = 0; i < options.warm_up; ++i) (void)milliseconds(model);
  }
  double spent_ms = 0;  // by the slowest model
  for (int runs = 0; runs < options.max_runs; runs += kBlock) {
    if (runs >= options.min_runs && spent_ms >= 1000 * options.seconds) break;
    if (runs > 0 && spent_ms >= 1000 * options.max_seconds) break;
    double slowest = 0;
    for (std::size_t model = 0; model < models.size(); ++model) {
      if (options.cancelled != nullptr && *options.cancelled)
        throw Error(codes::cancelled, "stopped while timing");
      double block_ms = models.size() > 1 ? milliseconds(models[model]) : 0;
      for (int i = 0; i < kBlock; ++i) {
        times[model].push_back(milliseconds(models[model]));
        block_ms += times[model].back();
      }
      slowest = std::max(slowest, block_ms);
    }
    spent_ms += slowest;
  }
  return times;
}

Latency summarize(const Session& session, const InputSizes& sizes,
                  const std::vector<double>& times_ms) {
  Latency latency;
  latency.p50_ms = quantile(times_ms, 0.5);
  latency.p95_ms = quantile(times_ms, 0.95);
  latency.min_ms = quantile(times_ms, 0);
  latency.runs = static_cast<std::int64_t>(times_ms.size());
  latency.batch = sizes.batch;
  latency.sequence = sizes.sequence;
  latency.threads = session.threads();
  latency.instruction_set = name(session.instruction_set());
  latency.engine = "onnxpress";
  std::vector<double> deviations;
  deviations.reserve(times_ms.size());
  for (const double time : times_ms) deviations.push_back(std::abs(time - latency.p50_ms));
  latency.variation = latency.p50_ms > 0 ? quantile(deviations, 0.5) / latency.p50_ms : 0;
  latency.unstable = latency.variation > kUnstableVariation;
  return latency;
}

Metric speedup(const std::vector<double>& before_ms, const std::vector<double>& after_ms,
               std::uint64_t seed) {
  const auto ratio = [&](std::span<const std::uint32_t> times) {
    return median_of_drawn(before_ms, times) / median_of_drawn(after_ms, times);
  };
  return {"speedup", quantile(before_ms, 0.5) / quantile(after_ms, 0.5),
          bootstrap_interval(before_ms.size(), seed, ratio),
          static_cast<std::int64_t>(before_ms.size()), "x"};
}

std::int64_t peak_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kKey = "VmHWM:";
    if (line.starts_with(kKey)) return std::stoll(line.substr(kKey.size())) * 1024;
  }
  return 0;
}

bool reset_peak_memory() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

}  // namespace onnxpress
