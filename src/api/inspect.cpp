// SPDX-License-Identifier: Apache-2.0
#include "onnxpress/inspect.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "api/describe.h"
#include "api/request.h"
#include "base/error_codes.h"
#include "io/checks.h"
#include "targets/target.h"

namespace onnxpress {
namespace {

std::string sentence(const Finding& finding) {
  static constexpr std::array<std::string_view, 3> kSeverity = {"error", "warning", "note"};
  const auto severity = kSeverity.at(static_cast<std::size_t>(finding.severity));
  return finding.where.empty()
             ? fmt::format("{}: {}", severity, finding.message)
             : fmt::format("{}: {}: {}", severity, finding.where, finding.message);
}

// Adds what the target refuses or does badly; true if it refuses the model.
bool add_findings_of_target(const Model& model, Target target, ModelDescription& description) {
  bool refused = false;
  for (const TargetFinding& finding : check_target(model, target)) {
    refused |= finding.refused;
    const std::string where = finding.where.empty() ? "" : finding.where + ": ";
    description.findings.push_back(fmt::format("{}: {}: {}{}",
                                               finding.refused ? "error" : "warning", name(target),
                                               where, finding.message));
  }
  return refused;
}

}  // namespace

Document inspect(const std::vector<std::string>& models, bool explain,
                 const ReadingOptions& reading) {
  api::Recorder recorder("inspect", {}, {});
  for (const std::string& path : models) {
    const api::OpenedModel model = api::open_model(path, reading);
    recorder.document.inputs.push_back(model.file);
    recorder.document.descriptions.push_back(api::describe(model, explain));
  }
  return recorder.finish();
}

Document check(const std::vector<std::string>& models, const std::string& target,
               const ReadingOptions& reading) {
  const std::optional<Target> runtime = api::read_target(target);
  api::Recorder recorder("check", {}, {});
  for (const std::string& path : models) {
    const api::OpenedModel model = api::open_model(path, reading);
    recorder.document.inputs.push_back(model.file);
    ModelDescription description = api::describe(model, false);
    for (const Finding& finding : check_model(model.model)) {
      description.findings.push_back(sentence(finding));
      if (finding.severity == Severity::error) {
        recorder.document.exit_code = exit_code(ErrorKind::bad_input);
      }
    }
    if (runtime && add_findings_of_target(model.model, *runtime, description) &&
        recorder.document.exit_code == 0) {
      recorder.document.exit_code = exit_code(ErrorKind::unsupported);
    }
    recorder.document.descriptions.push_back(std::move(description));
  }
  return recorder.finish();
}

}  // namespace onnxpress
