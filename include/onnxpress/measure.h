// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "onnxpress/document.h"
#include "onnxpress/options.h"

namespace onnxpress {

// Times models, and measures what they are good at where there are data.
struct BenchRequest {
  std::vector<std::string> models{};
  DataOptions data{};
  ReadingOptions reading{};
  EngineOptions engine{};
  std::size_t latency_batch = 1;
  std::size_t sequence = 128;
  int min_runs = 15;
  double seconds = 1.0;  // timed for at least so long each
  std::vector<std::string> fail_if{};
};

// One entry in document.models for each, in order: size, latency p50/p95/min (the models take
// turns), peak memory, and with data their metrics and samples per second. Throws Error.
[[nodiscard]] Document bench(const BenchRequest& request, const Control& control = {});

// How far a model is from another on data.
struct CompareRequest {
  std::string reference{}, candidate{};
  DataOptions data{};
  ReadingOptions reading{};
  EngineOptions engine{};
  bool latency = false;
  std::size_t sequence = 128;
  std::vector<std::string> fail_if{};
};

// document.agreement for each output, and the metrics of both where there are labels. Without data
// the models are compared on made-up inputs. Throws Error.
[[nodiscard]] Document compare(const CompareRequest& request, const Control& control = {});

}  // namespace onnxpress
