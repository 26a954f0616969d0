// SPDX-License-Identifier: Apache-2.0
#include "onnxpress/sensitivity.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "api/request.h"
#include "base/error_codes.h"
#include "base/thread_pool.h"
#include "calib/calibration_set.h"
#include "data/input_spec.h"
#include "model/transformer_view.h"
#include "passes/output_cost.h"
#include "passes/sensitivity.h"

namespace onnxpress {
namespace {

constexpr std::size_t kSamples = 64;

}  // namespace

Document sensitivity(const SensitivityRequest& request, const Control& control) {
  api::Recorder recorder("sensitivity", request.engine, control);
  Document& document = recorder.document;
  const api::OpenedModel opened = api::open_model(request.model, request.reading);
  document.inputs.push_back(opened.file);
  DataOptions options = request.data;
  if (options.samples == 0) options.samples = kSamples;
  std::optional<Dataset> data =
      api::open_data(options, api::DataUse::calibration, opened, document);
  if (!data) {
    throw Error(codes::missing_data, "what a change costs is measured on samples",
                "add --data and, for text, --tokenizer");
  }
  const CalibrationSet set(std::move(*data), input_specs(opened.model.graph), options.batch);
  const TransformerView view = TransformerView::of(opened.model);
  ThreadPool pool(request.engine.threads);
  const std::vector<Probe> probes = all_probes(opened.model, view, pool);
  if (probes.empty()) {
    throw Error(codes::unsupported_model, "nothing in the model can be removed or rounded",
                "see onnxpress inspect --explain");
  }
  PassRecord record;
  record.pass = "sensitivity";
  recorder.stage("measure", [&](const std::function<void(double)>& report) {
    OutputCostOptions cost_options;
    cost_options.session = api::session_options(request.engine);
    cost_options.samples = static_cast<std::int64_t>(options.samples);
    cost_options.tick = [&] { recorder.require_not_cancelled(); };
    const OutputCost judge(opened.model, set, cost_options);
    const char* const figure = judge.is_divergence() ? "kl" : "output_error";
    for (std::size_t i = 0; i < probes.size(); ++i) {
      report(static_cast<double>(i) / static_cast<double>(probes.size()));
      const Probe& probe = probes[i];
      UnitRecord row{probe.unit, probe.kind + " " + probe.change, "", probe.bytes_before,
                     probe.bytes_after};
      Model copy = opened.model;
      if (std::string why = probe.apply(copy); !why.empty()) {
        row.reason = std::move(why);
      } else {
        const double cost = judge.of(copy);
        row.figures.emplace_back(figure, cost);
        row.reason = fmt::format("{} {:.3g}", judge.metric(), cost);
      }
      record.units.push_back(std::move(row));
    }
    record.summary =
        fmt::format("{} changes, one at a time, on {} samples", probes.size(), judge.samples());
    return record.summary;
  });
  document.samples = set.samples();
  document.tokens = set.tokens();
  document.passes.push_back(std::move(record));
  return recorder.finish();
}

}  // namespace onnxpress
