// SPDX-License-Identifier: Apache-2.0
#include "api/latency_file.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/error_codes.h"
#include "data/model_folder.h"
#include "io/publish.h"
#include "model/transformer_view.h"
#include "passes/pruning/measure_latency.h"

namespace onnxpress::api {

LatencyFile::LatencyFile(const SensitivityRequest& request) : request_(request) {
  (void)parse_sizes(request.latency_shape);
  writing_.force = request.force;
  writing_.protected_inputs = {find_model(request.model)};
  for (const std::string* path : {&request.data.data, &request.data.tokenizer}) {
    if (!path->empty()) writing_.protected_inputs.emplace_back(*path);
  }
  check_destination(request.latency_table, writing_);
}

void LatencyFile::measure(Recorder& recorder, const Model& model) const {
  std::vector<PrunableLayer> layers;
  const TransformerView view = TransformerView::of(model);
  for (const PrunableKind kind : {PrunableKind::heads, PrunableKind::neurons}) {
    for (PrunableLayer& layer : find_prunable_layers(model.graph, view, kind)) {
      if (layer.possible()) layers.push_back(std::move(layer));
    }
  }
  if (layers.empty()) {
    throw Error(codes::unsupported_model, "the model has no block that could be pruned",
                "see onnxpress inspect --explain");
  }
  std::vector<const PrunableLayer*> all;
  for (const PrunableLayer& layer : layers) all.push_back(&layer);
  LatencyTable table;
  recorder.stage("time", [&](const std::function<void(double)>& report) {
    MeasureLatencyOptions options;
    options.session = session_options(request_.engine);
    options.sizes = parse_sizes(request_.latency_shape);
    options.tick = [&](double done) {
      recorder.require_not_cancelled();
      report(done);
    };
    table = measure_latency(model, all, options);
    return fmt::format("{:.3g} ms, {}", table.model_ms, table.conditions);
  });
  PassRecord record;
  record.pass = "latency";
  record.summary = fmt::format("{:.3g} ms, {}", table.model_ms, table.conditions);
  for (const LatencyTable::Row& row : table.rows) {
    UnitRecord unit{row.block, fmt::format("{} {} kept", row.kept, name(row.kind)),
                    fmt::format("{:+.3g} ms", row.ms - table.model_ms)};
    unit.figures = {{"ms", row.ms}, {"saved_ms", table.model_ms - row.ms}};
    record.units.push_back(std::move(unit));
  }
  recorder.document.passes.push_back(std::move(record));
  recorder.stage("write", [&](const std::function<void(double)>&) -> std::string {
    const std::vector<std::string> pieces{to_text(table)};
    FileInfo file{request_.latency_table, {}, static_cast<std::int64_t>(pieces.front().size())};
    publish_file(file.path, pieces, writing_, [&](const std::filesystem::path& staged) {
      (void)latency_savings(read_latency_table(staged), all);  // it says what was measured
      file.sha256 = sha256_of_file(staged);
    });
    recorder.document.output = std::move(file);
    recorder.document.published = true;
    return {};
  });
}

}  // namespace onnxpress::api
