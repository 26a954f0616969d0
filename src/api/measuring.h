// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "api/request.h"
#include "eval/evaluate.h"
#include "eval/latency.h"

// Evaluating and timing, written into a document. Shared by compress, compare and bench.
namespace onnxpress::api {

// Runs both models (or one, if `candidate` is nullptr) over the data; fills task, samples, tokens,
// metrics of models[0] and models[1], changes and agreement.
std::string evaluate_into(Document& document, const Session& reference, const Session* candidate,
                          const OpenedModel& model, const Dataset& data, const DataOptions& options,
                          const Control& control, const std::function<void(double)>& report);

// A model that is to be timed; neither is owned.
struct ReadyModel {
  const Session* session = nullptr;
  const Graph* graph = nullptr;  // whose inputs are made up
};

// Times the models in turns on made-up inputs, into models[i].latency; of compress and compare also
// the change "speedup". Batch and sequence are cut to what a model takes; of the two of a
// comparison both get what the first one takes.
std::string time_into(Recorder& recorder, const std::vector<ReadyModel>& models,
                      const InputSizes& wanted, const LatencyOptions& options);

// The sizes nearest to `wanted` that the model runs with, found by trying: shorter sequences where
// the model's tables or masks are.
[[nodiscard]] InputSizes runnable_sizes(const Session& session, const Graph& graph,
                                        InputSizes wanted);

// ratio = bytes of models[0] / bytes of models[1], put first among the changes.
void add_ratio(Document& document);

}  // namespace onnxpress::api
