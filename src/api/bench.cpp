// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "api/measuring.h"
#include "api/recipe_of.h"
#include "base/error_codes.h"
#include "onnxpress/measure.h"

namespace onnxpress {
namespace {

using api::OpenedModel;
using api::Recorder;

// One model on its own, so that the memory it needs can be told from the others'.
void measure_alone(Recorder& recorder, const BenchRequest& request, const OpenedModel& model,
                   const InputSizes& sizes) {
  Document& document = recorder.document;
  document.models.push_back({model.path.string(), model.file.bytes});
  const bool counted = reset_peak_memory();
  const Session session(model.model, api::session_options(request.engine));
  (void)api::runnable_sizes(session, model.model.graph, sizes);
  const std::optional<Dataset> data =
      api::open_data(request.data, api::DataUse::measuring, model, document);
  if (data) {
    recorder.stage("evaluate", [&](const std::function<void(double)>& report) {
      return model.path.string() + ": " +
             api::evaluate_into(document, session, nullptr, model, *data, request.data,
                                recorder.control(), report);
    });
  }
  const std::int64_t peak = peak_memory_bytes();
  if (counted && peak > 0) document.models.back().peak_memory_bytes = peak;
}

}  // namespace

Document bench(const BenchRequest& request, const Control& control) {
  Recorder recorder("bench", request.engine, control);
  Document& document = recorder.document;
  if (request.models.empty()) throw Error(codes::usage_error, "no model is given");
  if (request.min_runs < 1 || request.latency_batch < 1) {
    throw Error(codes::bad_option, "there is nothing to time", "use at least 1 run and batch 1");
  }
  const bool has_data = !(request.data.data.empty() && request.data.eval_data.empty());
  const std::vector<Gate> gates = api::read_gates(request.fail_if, has_data, true);
  const InputSizes sizes{static_cast<std::int64_t>(request.latency_batch),
                         static_cast<std::int64_t>(request.sequence)};
  std::vector<OpenedModel> models;
  for (const std::string& path : request.models) {
    models.push_back(api::open_model(path, request.reading));
    document.inputs.push_back(models.back().file);
    measure_alone(recorder, request, models.back(), sizes);
  }
  std::vector<Session> sessions;
  std::vector<api::ReadyModel> ready;
  sessions.reserve(models.size());
  for (const OpenedModel& model : models) {
    sessions.emplace_back(model.model, api::session_options(request.engine));
    ready.push_back({&sessions.back(), &model.model.graph});
  }
  LatencyOptions timing;
  timing.min_runs = request.min_runs;
  timing.max_runs = std::max(timing.max_runs, request.min_runs);
  timing.seconds = request.seconds;
  recorder.stage("time", [&](const std::function<void(double)>&) {
    return api::time_into(recorder, ready, sizes, timing);
  });
  (void)api::judge_gates(gates, document);
  return recorder.finish();
}

}  // namespace onnxpress
