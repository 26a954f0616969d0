// SPDX-License-Identifier: Apache-2.0
#include "onnxpress/compress.h"

#include <fmt/format.h>

#include "api/measuring.h"
#include "api/recipe_of.h"
#include "api/request.h"
#include "api/vocabulary.h"
#include "base/error_codes.h"
#include "base/sha256.h"
#include "data/model_folder.h"
#include "io/reader.h"
#include "io/writer.h"
#include "onnxpress/about.h"
#include "pipeline/runner.h"
#include "targets/target.h"

namespace onnxpress {
namespace {

using api::OpenedModel;
using api::Recorder;

ExternalData external_data(const std::string& text) {
  if (text == "auto") return ExternalData::automatic;
  if (text == "always") return ExternalData::always;
  if (text == "never") return ExternalData::never;
  throw Error(codes::bad_option, fmt::format("--external can't be \"{}\"", text),
              "give auto, always or never");
}

WriteOptions write_options(const CompressRequest& request, const OpenedModel& input) {
  WriteOptions options;
  options.force = request.force;
  options.external = external_data(request.external);
  options.keep_metadata = request.keep_metadata;
  options.protected_inputs = {input.path};
  for (const std::string* path : {&request.data.data, &request.data.eval_data,
                                  &request.data.tokenizer, &request.recipe, &request.calibration}) {
    if (!path->empty()) options.protected_inputs.emplace_back(*path);
  }
  return options;
}

PassRecord record_of(const PassReport& report) {
  PassRecord record;
  record.pass = report.name;
  record.summary = report.summary;
  record.seconds = report.seconds;
  record.bytes_before = report.weight_bytes_before;
  record.bytes_after = report.weight_bytes_after;
  for (const auto& [name, value] : report.options)
    record.options.emplace_back(name, to_toml(value));
  for (std::size_t i = 0; i < report.units.size(); ++i) {
    const UnitPlan& unit = report.units[i];
    UnitRecord row{unit.label, std::string(name(unit.decision)), unit.reason, unit.bytes_before,
                   unit.bytes_after};
    if (const auto at = report.figures.find(i); at != report.figures.end())
      row.figures = at->second;
    record.units.push_back(std::move(row));
  }
  return record;
}

CalibrationFile open_calibration_file(const std::string& path, const OpenedModel& model,
                                      Recorder& recorder) {
  CalibrationFile file = CalibrationFile::open(path);
  file.require_model(model.model);
  recorder.document.inputs.push_back(
      {path, sha256_of_file(path), static_cast<std::int64_t>(std::filesystem::file_size(path))});
  const CalibrationHeader& header = file.header();
  if (header.random) {
    recorder.warn("W0302",
                  "calibrated on made-up inputs: the statistics say little about real data");
  }
  if (!header.is_complete()) {
    recorder.warn("W0304", fmt::format("{} covers {} of {} chunks of its data: merge the shards",
                                       path, header.chunks_covered(), header.chunk_count()));
  }
  return file;
}

// What passes that look at data may learn from; nothing where no pass does, or nothing was given.
std::optional<Calibration> open_calibration(const CompressRequest& request, const Recipe& recipe,
                                            const OpenedModel& model, Recorder& recorder) {
  std::optional<CalibrationFile> file;
  if (!request.calibration.empty()) {
    file = open_calibration_file(request.calibration, model, recorder);
  }
  if (request.dry_run || !uses_data(recipe)) return {};
  Calibration calibration{{}, api::session_options(request.engine), std::move(file)};
  if (auto samples =
          api::open_data(request.data, api::DataUse::calibration, model, recorder.document)) {
    calibration.set.emplace(std::move(*samples), input_specs(model.model.graph),
                            request.data.batch);
  }
  if (!calibration.set && !calibration.file) return {};
  return calibration;
}

// Runs the passes and tells of each when it is done.
RunResult run_passes(Recorder& recorder, Model model, const Recipe& recipe,
                     const CompressRequest& request, const Calibration* calibration,
                     std::function<std::string()> input_sha256) {
  recorder.require_not_cancelled();
  RunOptions options;
  options.threads = request.engine.threads;
  options.dry_run = request.dry_run;
  options.strict = request.strict;
  options.keep_opset = request.keep_opset;
  options.calibration = calibration;
  options.cancelled = recorder.control().cancelled;
  options.folder = api::recipe_folder(request);
  options.tool_version = version();
  options.input_sha256 = std::move(input_sha256);
  const auto& progress = recorder.control().progress;
  if (progress) {
    options.progress = [&](const Progress& p) { progress({p.pass, {}, p.done, false, 0}); };
  }
  RunResult result = [&] {
    try {
      return run_recipe(std::move(model), recipe, options);
    } catch (const Cancelled&) {
      throw Error(codes::cancelled, "stopped on request");
    }
  }();
  for (const PassReport& report : result.passes) {
    if (progress) progress({report.name, report.summary, 1, true, report.seconds});
    for (const std::string& warning : report.warnings) {
      recorder.warn("W0101", report.name + ": " + warning);
    }
    recorder.document.passes.push_back(record_of(report));
  }
  return result;
}

void warn_if_no_smaller(Recorder& recorder) {
  const std::int64_t before = recorder.document.models[0].bytes;
  const std::int64_t after = recorder.document.models[1].bytes;
  if (after < before) return;
  recorder.warn("W0102",
                fmt::format("the result is not smaller: {} bytes, {} before", after, before));
}

// Refuses a result that the target can't run, and tells of what it does badly.
void judge_for_target(Recorder& recorder, const Model& model, const std::string& target) {
  const std::optional<Target> runtime = api::read_target(target);
  if (!runtime) return;
  for (const TargetFinding& finding : check_target(model, *runtime)) {
    const std::string where = finding.where.empty() ? "" : finding.where + ": ";
    if (finding.refused) {
      throw Error(codes::unsupported_model,
                  fmt::format("{}: {}{}", target, where, finding.message));
    }
    recorder.warn("W0103", fmt::format("{}: {}{}", target, where, finding.message));
  }
}

// Measures the staged result beside the original.
void measure(Recorder& recorder, const CompressRequest& request, const OpenedModel& original,
             const StagedModel& staged, const std::optional<Dataset>& data, bool timing) {
  const SessionOptions options = api::session_options(request.engine);
  std::optional<Session> before;
  std::optional<Session> after;
  recorder.stage("verify", [&](const std::function<void(double)>& report) -> std::string {
    before.emplace(original.model, options);
    after.emplace(read_model(staged.path()), options);
    if (!data) return "loaded back";
    return "loaded back, " +
           api::evaluate_into(recorder.document, *before, &*after, original, *data, request.data,
                              recorder.control(), report) +
           " compared";
  });
  if (!timing) return;
  recorder.stage("time", [&](const std::function<void(double)>&) {
    const Graph* graph = &original.model.graph;
    return api::time_into(recorder, {{&*before, graph}, {&*after, graph}},
                          {1, static_cast<std::int64_t>(request.sequence)}, {});
  });
}

// Keeps a result that failed a gate under another name.
void keep_rejected(Recorder& recorder, const CompressRequest& request, const Model& model,
                   WriteOptions options) {
  std::filesystem::path path(request.output);
  path.replace_extension(".rejected.onnx");
  options.force = true;
  StagedModel staged = stage_model(model, path, options);
  recorder.document.output = {path.string(), staged.sha256(), staged.bytes()};
  std::move(staged).publish();
}

}  // namespace

Document compress(const CompressRequest& request, const Control& control) {
  Recorder recorder("compress", request.engine, control);
  Document& document = recorder.document;
  if (request.output.empty() && !request.dry_run) {
    throw Error(codes::usage_error, "no output is given", "add -o small.onnx");
  }
  Recipe recipe = api::recipe_of(request);
  const CompressRequest resolved = api::with_recipe_data(request, recipe);
  const DataOptions& data_options = resolved.data;
  document.recipe_name = recipe.name;
  document.recipe = to_toml(recipe);
  document.dry_run = request.dry_run;
  const bool has_data =
      request.evaluate && !(data_options.data.empty() && data_options.eval_data.empty());
  std::vector<Gate> gates = api::read_gates(resolved.fail_if, has_data, true);
  const bool timing = request.latency || has_data || api::needs_timing(gates);

  OpenedModel original;
  BackgroundSha256 sha256;
  recorder.stage("read", [&](const std::function<void(double)>&) {
    original.path = find_model(request.input);
    if (!request.output.empty()) {
      check_destination(request.output, write_options(resolved, original));
    }
    original = api::open_model(request.input, request.reading, sha256);
    return fmt::format("{} nodes", original.model.graph.nodes().size());
  });
  const auto vocabulary = api::VocabularyFiles::of(recipe, resolved, original);
  WriteOptions writing = write_options(resolved, original);
  if (vocabulary) {
    writing.protected_inputs.insert(writing.protected_inputs.end(),
                                    {vocabulary->corpus(), vocabulary->tokenizer()});
  }
  document.inputs.push_back(original.file);
  std::optional<Dataset> data;
  const std::optional<Calibration> calibration =
      open_calibration(resolved, recipe, original, recorder);
  if (has_data && !request.dry_run) {
    data = api::open_data(data_options, api::DataUse::measuring, original, document);
    api::require_labels(gates, data);
  }

  const bool measures = !request.dry_run && (data || timing);
  Model input = original.model;
  if (!measures) original.model = {};  // nobody looks at it again
  RunResult result =
      run_passes(recorder, std::move(input), recipe, request, calibration ? &*calibration : nullptr,
                 [&] { return document.inputs.front().sha256 = sha256.get(); });
  judge_for_target(recorder, result.model, request.target);
  document.models = {{original.path.string(), original.file.bytes},
                     {request.output, result.predicted_bytes}};
  if (request.dry_run) {
    api::add_ratio(document);
    std::erase_if(gates, [](const Gate& gate) { return gate.metric->needs != GateNeeds::nothing; });
    (void)api::judge_gates(gates, document);
    return recorder.finish();
  }

  std::optional<StagedModel> staged;
  recorder.stage("write", [&](const std::function<void(double)>&) -> std::string {
    staged = stage_model(result.model, request.output, writing);
    if (vocabulary) staged->add_beside("vocab.txt", vocabulary->contents());
    return {};
  });
  document.models[1].bytes = staged->bytes();
  api::add_ratio(document);
  warn_if_no_smaller(recorder);
  if (measures) measure(recorder, resolved, original, *staged, data, timing);
  document.peak_memory_bytes = peak_memory_bytes();

  recorder.require_not_cancelled();
  if (api::judge_gates(gates, document)) {
    staged.reset();
    if (request.keep_rejected) keep_rejected(recorder, request, result.model, writing);
    return recorder.finish();
  }
  document.output = {request.output, staged->sha256(), staged->bytes()};
  std::move(*staged).publish();
  document.published = true;
  return recorder.finish();
}

std::string resolved_recipe(const CompressRequest& request) {
  return to_toml(api::recipe_of(request));
}

void remove_temporary_files() noexcept {
  remove_staged_files();
}

}  // namespace onnxpress
