// SPDX-License-Identifier: Apache-2.0
#include "onnxpress/calibrate.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/measuring.h"
#include "api/request.h"
#include "base/error_codes.h"
#include "base/sha256.h"
#include "calib/advice.h"
#include "calib/calibration_file.h"
#include "calib/collect_statistics.h"
#include "data/model_folder.h"
#include "io/publish.h"

namespace onnxpress {
namespace {

using api::OpenedModel;
using api::Recorder;

constexpr std::size_t kMadeUpSamples = 32;
constexpr std::int64_t kMadeUpTokens = 128;

Dataset made_up_data(const Model& model, const CalibrateRequest& request) {
  const std::size_t wanted = request.data.samples > 0 ? request.data.samples : kMadeUpSamples;
  const Session session(model, api::session_options(request.engine));
  const InputSizes sizes =
      api::runnable_sizes(session, model.graph, {static_cast<std::int64_t>(wanted), kMadeUpTokens});
  std::vector<NamedTensor> arrays;
  for (auto& [name, tensor] :
       synthetic_inputs(input_specs(model.graph), looked_up_inputs(model.graph), sizes)) {
    arrays.push_back({name, tensor});
  }
  return Dataset::of_arrays(std::move(arrays), {}, "made-up inputs");
}

Dataset samples_for(Recorder& recorder, const CalibrateRequest& request, const OpenedModel& model) {
  if (request.allow_random && request.data.data.empty()) {
    recorder.warn("W0302",
                  "calibrated on made-up inputs: the statistics say little about real data");
    return made_up_data(model.model, request);
  }
  std::optional<Dataset> data =
      api::open_data(request.data, api::DataUse::calibration, model, recorder.document);
  if (!data) {
    throw Error(codes::missing_data, "there are no data to calibrate on",
                "add --data (or --allow-random-calibration for made-up inputs)");
  }
  return std::move(*data);
}

void warn_of_few(Recorder& recorder, const CalibrationSet& set,
                 const CalibrationRecord& calibration) {
  if (set.skipped_samples() > 0) {
    recorder.warn("W0303", fmt::format("{} samples were left out: their inputs hold NaN or "
                                       "infinity",
                                       set.skipped_samples()));
  }
  if (set.data().size() == 1) {
    recorder.warn("W0304", "one sample is hardly enough to calibrate on");
  }
  if (set.last_chunk() - set.first_chunk() < set.chunk_count()) return;  // others will be added
  // The widest of the tensors that have a row for each token; one warning is enough.
  std::int64_t rows = 0;
  for (const CalibratedTensor& tensor : calibration.tensors) rows = std::max(rows, tensor.rows);
  const CalibratedTensor* worst = nullptr;
  for (const CalibratedTensor& tensor : calibration.tensors) {
    if (!tensor.gram || tensor.rows < rows) continue;
    if (worst == nullptr || tensor.channels > worst->channels) worst = &tensor;
  }
  if (worst == nullptr) return;
  const DampingAdvice advice = advise_damping(worst->rows, worst->channels);
  if (!advice.warning.empty()) recorder.warn("W0304", advice.warning);
}

CalibratedTensor record_of(const std::string& name, const TensorStatistics& statistics) {
  return {name,
          statistics.width,
          statistics.rows,
          statistics.skipped_rows,
          statistics.range().low,
          statistics.range().high,
          statistics.train.has_value()};
}

CalibrationRecord record_of(const CalibrationHeader& header) {
  CalibrationRecord record;
  record.samples = header.samples;
  record.tokens = header.tokens;
  record.skipped_samples = header.skipped_samples;
  record.chunks = static_cast<std::int64_t>(header.chunks_covered());
  record.chunk_count = static_cast<std::int64_t>(header.chunk_count());
  record.random = header.random;
  return record;
}

void publish(Recorder& recorder, const std::string& path, const std::vector<std::string>& pieces,
             const WriteOptions& options) {
  recorder.stage("write", [&](const std::function<void(double)>&) -> std::string {
    FileInfo file{path, {}, 0};
    for (const std::string& piece : pieces) file.bytes += static_cast<std::int64_t>(piece.size());
    publish_file(path, pieces, options, [&](const std::filesystem::path& staged) {
      (void)CalibrationFile::open(staged);  // its checksum is right
      file.sha256 = sha256_of_file(staged);
    });
    recorder.document.output = std::move(file);
    recorder.document.published = true;
    return {};
  });
}

void require_output(const std::string& output) {
  if (output.empty()) throw Error(codes::usage_error, "no output is given", "add -o model.calib");
}

}  // namespace

Document calibrate(const CalibrateRequest& request, const Control& control) {
  Recorder recorder("calibrate", request.engine, control);
  Document& document = recorder.document;
  require_output(request.output);
  WriteOptions writing;
  writing.force = request.force;
  writing.protected_inputs = {find_model(request.model)};
  for (const std::string* path : {&request.data.data, &request.data.tokenizer}) {
    if (!path->empty()) writing.protected_inputs.emplace_back(*path);
  }
  check_destination(request.output, writing);
  const OpenedModel model = api::open_model(request.model, request.reading);
  document.inputs.push_back(model.file);

  const bool random = request.allow_random && request.data.data.empty();
  const CalibrationSet set(samples_for(recorder, request, model), input_specs(model.model.graph),
                           request.data.batch, {request.shard, request.shards});
  CollectionOptions options;
  options.session = api::session_options(request.engine);
  options.cancelled = control.cancelled;
  options.request = {
      .histogram = request.histogram, .gram = request.gram, .reservoir_rows = request.kept_rows};
  const std::vector<ValueId> values =
      calibrated_values(model.model.graph, TransformerView::of(model.model));
  if (values.empty()) {
    throw Error(codes::unsupported_model, "the model has no linear layer to calibrate",
                "see onnxpress inspect --explain");
  }
  const CalibrationHeader header = header_of(model.model, set, options.request, random);
  CalibrationEncoder encoder(header, values.size());
  CalibrationRecord calibration = record_of(header);
  recorder.stage("calibrate", [&](const std::function<void(double)>& report) {
    options.progress = report;
    collect_statistics(model.model, values, set, options,
                       [&](ValueId id, TensorStatistics&& statistics) {
                         const std::string& name = model.model.graph.value(id).name;
                         calibration.tensors.push_back(record_of(name, statistics));
                         encoder.add(name, std::move(statistics));
                       });
    return fmt::format("{} samples, {} tokens, {} tensors", set.samples(), set.tokens(),
                       values.size());
  });
  warn_of_few(recorder, set, calibration);
  document.calibration = std::move(calibration);
  publish(recorder, request.output, std::move(encoder).finish(), writing);
  return recorder.finish();
}

Document merge_calibrations(const MergeCalibrationsRequest& request, const Control& control) {
  Recorder recorder("calibrate", {}, control);
  Document& document = recorder.document;
  require_output(request.output);
  if (request.files.empty()) throw Error(codes::usage_error, "there is nothing to merge");
  WriteOptions writing;
  writing.force = request.force;
  writing.protected_inputs.assign(request.files.begin(), request.files.end());
  check_destination(request.output, writing);
  std::vector<CalibrationFile> files;
  for (const std::string& path : request.files) {
    files.push_back(CalibrationFile::open(path));
    std::error_code error;
    document.inputs.push_back({path, sha256_of_file(path),
                               static_cast<std::int64_t>(std::filesystem::file_size(path, error))});
  }
  std::vector<std::string> pieces;
  recorder.stage("merge", [&](const std::function<void(double)>&) {
    pieces = merge_calibrations(std::span<const CalibrationFile>(files));
    return fmt::format("{} files", files.size());
  });
  publish(recorder, request.output, pieces, writing);
  const CalibrationFile result = CalibrationFile::open(request.output);
  document.calibration = record_of(result.header());
  for (const std::string& name : result.names()) {
    document.calibration->tensors.push_back(record_of(name, result.statistics_for(name).value()));
  }
  return recorder.finish();
}

}  // namespace onnxpress
