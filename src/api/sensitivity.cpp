// SPDX-License-Identifier: Apache-2.0
#include "onnxpress/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "api/latency_file.h"
#include "api/request.h"
#include "base/error_codes.h"
#include "base/thread_pool.h"
#include "calib/calibration_set.h"
#include "data/input_spec.h"
#include "model/transformer_view.h"
#include "onnxpress/nearest.h"
#include "passes/output_cost.h"
#include "passes/pruning/part_scores.h"
#include "passes/sensitivity.h"

namespace onnxpress {
namespace {

constexpr std::size_t kSamples = 64;

const std::vector<std::string>& kind_names() {
  static const std::vector<std::string> names{"layers", "units", "heads", "neurons"};
  return names;
}

class Sensitivity {
 public:
  Sensitivity(const SensitivityRequest& request, const Control& control)
      : request_(request), recorder_("sensitivity", request.engine, control) {
    for (const std::string& kind : request.kinds) {
      if (std::ranges::find(kind_names(), kind) != kind_names().end()) continue;
      throw Error(codes::unknown_name, fmt::format("there is no kind \"{}\"", kind),
                  did_you_mean(kind, kind_names()));
    }
  }

  Document run() {
    std::optional<api::LatencyFile> table;
    if (!request_.latency_table.empty()) table.emplace(request_);
    opened_ = api::open_model(request_.model, request_.reading);
    recorder_.document.inputs.push_back(opened_.file);
    open_data();
    const bool data = calibration_.has_value();
    record_.pass = "sensitivity";
    if (wanted("layers", data) || wanted("units", data)) measure_probes(data);
    if (wanted("heads", true)) score(PrunableKind::heads);
    if (wanted("neurons", true)) score(PrunableKind::neurons);
    if (record_.units.empty()) {
      throw Error(codes::unsupported_model, "nothing in the model can be removed or rounded",
                  "see onnxpress inspect --explain");
    }
    record_.summary = fmt::format("{} changes, one at a time", record_.units.size());
    if (data) record_.summary += fmt::format(", on {} samples", recorder_.document.samples);
    if (!data) record_.summary += ", by norm: --data says what the outputs lose";
    recorder_.document.passes.push_back(std::move(record_));
    if (table) table->measure(recorder_, opened_.model);
    return recorder_.finish();
  }

 private:
  // `otherwise` where no kind is asked for.
  [[nodiscard]] bool wanted(std::string_view kind, bool otherwise) const {
    return request_.kinds.empty() ? otherwise
                                  : std::ranges::find(request_.kinds, kind) != request_.kinds.end();
  }

  void open_data() {
    DataOptions options = request_.data;
    if (options.samples == 0) options.samples = kSamples;
    std::optional<Dataset> data =
        api::open_data(options, api::DataUse::calibration, opened_, recorder_.document);
    if (!data) {
      if (!wanted("layers", false) && !wanted("units", false)) return;
      throw Error(codes::missing_data, "what layers and units cost is measured on samples",
                  "add --data and, for text, --tokenizer; heads and neurons have norms without");
    }
    calibration_.emplace();
    calibration_->set.emplace(std::move(*data), input_specs(opened_.model.graph), options.batch);
    calibration_->session = api::session_options(request_.engine);
    recorder_.document.samples = calibration_->set->samples();
    recorder_.document.tokens = calibration_->set->tokens();
  }

  void measure_probes(bool data) {
    const TransformerView view = TransformerView::of(opened_.model);
    std::vector<Probe> probes;
    if (wanted("layers", data)) probes = layer_probes(opened_.model, view);
    if (wanted("units", data)) {
      for (Probe& probe : rounding_probes(opened_.model, view, pool_)) {
        probes.push_back(std::move(probe));
      }
    }
    if (probes.empty()) return;
    recorder_.stage("measure", [&](const std::function<void(double)>& report) {
      OutputCostOptions options;
      options.session = calibration_->session;
      options.samples = recorder_.document.samples;
      options.tick = [&] { recorder_.require_not_cancelled(); };
      const OutputCost judge(opened_.model, *calibration_->set, options);
      for (std::size_t i = 0; i < probes.size(); ++i) {
        report(static_cast<double>(i) / static_cast<double>(probes.size()));
        record_.units.push_back(measured(probes[i], judge));
      }
      return fmt::format("{} changes on {} samples", probes.size(), judge.samples());
    });
  }

  [[nodiscard]] UnitRecord measured(const Probe& probe, const OutputCost& judge) const {
    UnitRecord row{probe.unit, probe.kind + " " + probe.change, "", probe.bytes_before,
                   probe.bytes_after};
    Model copy = opened_.model;
    row.reason = probe.apply(copy);
    if (!row.reason.empty()) return row;
    const double cost = judge.of(copy);
    row.figures.emplace_back(judge.is_divergence() ? "kl" : "output_error", cost);
    row.reason = fmt::format("{} {:.3g}", judge.metric(), cost);
    return row;
  }

  void score(PrunableKind kind) {
    recorder_.stage(std::string(name(kind)), [&](const std::function<void(double)>& report) {
      Model model = opened_.model;
      PassContext context(model, pool_, {}, calibration_ ? &*calibration_ : nullptr);
      const PartScoresOfKind scores = score_parts(context, kind, [&](double done) {
        recorder_.require_not_cancelled();
        report(done);
      });
      for (const std::string& why : scores.left_out) recorder_.warn("W0101", why);
      for (const PartScores& part : scores.parts) {
        UnitRecord row{part.block, part.part + " removed", fmt::format("norm {:.3g}", part.norm),
                       part.bytes, 0};
        row.figures.emplace_back("norm", part.norm);
        if (part.activation) row.figures.emplace_back("activation", *part.activation);
        if (part.obs) row.figures.emplace_back("obs", *part.obs);
        if (part.loss) {
          row.figures.emplace_back(scores.loss_is_kl ? "kl" : "model_error", *part.loss);
          row.reason = fmt::format("{} {:.3g}", scores.loss_is_kl ? "KL" : "change of the outputs",
                                   *part.loss);
        }
        record_.units.push_back(std::move(row));
      }
      return fmt::format("{} {}", scores.parts.size(),
                         kind == PrunableKind::heads ? "heads" : "groups of neurons");
    });
  }

  const SensitivityRequest& request_;
  api::Recorder recorder_;
  api::OpenedModel opened_;
  std::optional<Calibration> calibration_;
  ThreadPool pool_{request_.engine.threads};
  PassRecord record_;
};

}  // namespace

Document sensitivity(const SensitivityRequest& request, const Control& control) {
  return Sensitivity(request, control).run();
}

}  // namespace onnxpress
