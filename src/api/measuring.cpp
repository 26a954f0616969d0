// SPDX-License-Identifier: Apache-2.0
#include "api/measuring.h"

#include <fmt/format.h>

#include "onnxpress/error.h"
#include "report/format.h"

namespace onnxpress::api {

std::string evaluate_into(Document& document, const Session& reference, const Session* candidate,
                          const OpenedModel& model, const Dataset& data, const DataOptions& options,
                          const Control& control, const std::function<void(double)>& report) {
  EvaluationOptions evaluation_options;
  evaluation_options.batch = options.batch;
  evaluation_options.seed = options.seed;
  evaluation_options.cancelled = control.cancelled;
  evaluation_options.progress = [&](std::size_t done, std::size_t total) {
    report(static_cast<double>(done) / static_cast<double>(total));
  };
  const Graph& graph = model.model.graph;
  Evaluation evaluation = evaluate(reference, candidate, data, input_specs(graph),
                                   token_input(graph), evaluation_options);
  document.task = name(evaluation.task.task);
  document.samples = static_cast<std::int64_t>(evaluation.samples);
  document.tokens = evaluation.tokens;
  const auto put = [&](std::size_t index, const ModelScore& score) {
    ModelFigures& figures = document.models[index];
    figures.metrics = score.metrics;
    if (score.seconds > 0) {
      figures.samples_per_second = static_cast<double>(evaluation.samples) / score.seconds;
    }
  };
  if (candidate != nullptr) {
    put(0, evaluation.reference);
    put(1, *evaluation.candidate);
    document.agreement = std::move(evaluation.agreement);
    for (Metric& change : evaluation.changes) document.changes.push_back(std::move(change));
  } else {
    put(document.models.size() - 1, evaluation.reference);
  }
  return fmt::format("{} samples{}", format_count(document.samples),
                     document.tokens > 0 ? ", " + format_count(document.tokens) + " tokens" : "");
}

InputSizes runnable_sizes(const Session& session, const Graph& graph, InputSizes wanted) {
  const std::vector<InputSpec> inputs = input_specs(graph);
  const std::vector<LookedUpInput> tables = looked_up_inputs(graph);
  wanted = fitting_sizes(inputs, wanted);
  if (wanted.sequence == 0) return wanted;
  std::vector<std::int64_t> lengths = {wanted.sequence};
  if (const auto limit = position_limit(graph)) {
    lengths.push_back(*limit);
    lengths.push_back(*limit - 2);  // tables that start at 2, as RoBERTa's
  }
  for (std::int64_t length = 256; length > 0; length /= 2) lengths.push_back(length);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] > wanted.sequence || lengths[i] < 1) continue;
    const InputSizes sizes{wanted.batch, lengths[i]};
    try {
      (void)session.run(synthetic_inputs(inputs, tables, sizes));
      return sizes;
    } catch (const Error& error) {
      const bool too_long = error.kind() == ErrorKind::bad_input && i + 1 < lengths.size();
      if (!too_long) throw;
    }
  }
  return wanted;
}

std::string time_into(Recorder& recorder, const std::vector<ReadyModel>& models,
                      const InputSizes& wanted, const LatencyOptions& options) {
  Document& document = recorder.document;
  const bool is_comparison = document.verb != "bench";
  std::vector<InputSizes> sizes;
  std::vector<TensorMap> inputs;
  std::vector<TimedModel> timed;
  inputs.reserve(models.size());
  for (std::size_t i = 0; i < models.size(); ++i) {
    const Graph& graph = *models[i].graph;
    sizes.push_back(is_comparison && i > 0 ? sizes.front()
                                           : runnable_sizes(*models[i].session, graph, wanted));
    inputs.push_back(synthetic_inputs(input_specs(graph), looked_up_inputs(graph), sizes.back()));
    timed.push_back({models[i].session, &inputs.back()});
  }
  LatencyOptions timing = options;
  timing.cancelled = recorder.control().cancelled;
  const auto times = time_interleaved(timed, timing);
  for (std::size_t i = 0; i < models.size(); ++i) {
    ModelFigures& figures = document.models[i];
    figures.latency = summarize(*models[i].session, sizes[i], times[i]);
    if (figures.latency->unstable) {
      recorder.warn("W0201", fmt::format("the times of {} vary by {:.0f} %: the machine is busy",
                                         figures.path, 100 * figures.latency->variation));
    }
  }
  if (is_comparison) document.changes.push_back(speedup(times[0], times[1], 1));
  return format_conditions(*document.models.front().latency);
}

void add_ratio(Document& document) {
  const auto before = static_cast<double>(document.models[0].bytes);
  const auto after = static_cast<double>(document.models[1].bytes);
  document.changes.insert(document.changes.begin(), {"ratio", before / after, {}, 1, "x"});
}

}  // namespace onnxpress::api
