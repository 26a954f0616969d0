// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "api/measuring.h"
#include "api/recipe_of.h"
#include "base/error_codes.h"
#include "onnxpress/measure.h"

namespace onnxpress {
namespace {

using api::OpenedModel;
using api::Recorder;

constexpr std::int64_t kMadeUpSamples = 8;
constexpr std::int64_t kMadeUpTokens = 32;

// Without data: made-up inputs, enough to see whether two models do the same.
Dataset made_up_data(const Session& session, const Graph& graph) {
  const InputSizes sizes = api::runnable_sizes(session, graph, {kMadeUpSamples, kMadeUpTokens});
  std::vector<NamedTensor> arrays;
  for (auto& [name, tensor] :
       synthetic_inputs(input_specs(graph), looked_up_inputs(graph), sizes)) {
    arrays.push_back({name, tensor});
  }
  return Dataset::of_arrays(std::move(arrays), {}, "made-up inputs");
}

void require_same_ports(const Session& reference, const Session& candidate) {
  const auto names = [](const std::vector<PortInfo>& ports) {
    std::string text;
    for (const PortInfo& port : ports) text += (text.empty() ? "" : ", ") + port.name;
    return text;
  };
  const auto require = [&](const char* what, const std::string& a, const std::string& b) {
    if (a == b) return;
    throw Error(codes::shape_mismatch, fmt::format("the models' {} differ: {} and {}", what, a, b),
                "compare models of the same task");
  };
  require("inputs", names(reference.inputs()), names(candidate.inputs()));
  require("outputs", names(reference.outputs()), names(candidate.outputs()));
}

}  // namespace

Document compare(const CompareRequest& request, const Control& control) {
  Recorder recorder("compare", request.engine, control);
  Document& document = recorder.document;
  const bool has_data = !(request.data.data.empty() && request.data.eval_data.empty());
  const std::vector<Gate> gates = api::read_gates(request.fail_if, true, true);
  const bool timing = request.latency || api::needs_timing(gates);
  const OpenedModel reference = api::open_model(request.reference, request.reading);
  const OpenedModel candidate = api::open_model(request.candidate, request.reading);
  document.inputs = {reference.file, candidate.file};
  document.models = {{reference.path.string(), reference.file.bytes},
                     {candidate.path.string(), candidate.file.bytes}};
  api::add_ratio(document);
  std::optional<Dataset> data =
      api::open_data(request.data, api::DataUse::measuring, reference, document);
  api::require_labels(gates, data);

  const SessionOptions options = api::session_options(request.engine);
  const Session before(reference.model, options);
  const Session after(candidate.model, options);
  require_same_ports(before, after);
  if (!has_data) {
    data = made_up_data(before, reference.model.graph);
    recorder.warn("W0301", "no data were given: the models are compared on made-up inputs");
  }
  recorder.stage("compare", [&](const std::function<void(double)>& report) {
    return api::evaluate_into(document, before, &after, reference, *data, request.data, control,
                              report);
  });
  if (timing) {
    recorder.stage("time", [&](const std::function<void(double)>&) {
      const Graph* graph = &reference.model.graph;
      return api::time_into(recorder, {{&before, graph}, {&after, graph}},
                            {1, static_cast<std::int64_t>(request.sequence)}, {});
    });
  }
  (void)api::judge_gates(gates, document);
  return recorder.finish();
}

}  // namespace onnxpress
