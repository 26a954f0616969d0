// SPDX-License-Identifier: Apache-2.0
#include "onnxpress/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/describe.h"
#include "base/error_codes.h"
#include "io/checks.h"
#include "onnxpress/nearest.h"

namespace onnxpress {
namespace {

// What ONNX Runtime loads since 1.18 (May 2024).
constexpr std::int64_t kOrtNewestIr = 10;
constexpr std::int64_t kOrtNewestOpset = 21;
constexpr std::array<std::string_view, 5> kOrtDomains = {"", "ai.onnx", "ai.onnx.ml",
                                                         "com.microsoft", "ai.onnx.training"};

std::vector<std::string> findings_of_target(const Model& model) {
  std::vector<std::string> findings;
  if (model.ir_version > kOrtNewestIr) {
    findings.push_back(fmt::format("IR version {} needs an ONNX Runtime newer than 1.18 (IR {})",
                                   model.ir_version, kOrtNewestIr));
  }
  for (const OpsetImport& opset : model.opsets) {
    if (std::ranges::find(kOrtDomains, opset.domain) == kOrtDomains.end()) {
      findings.push_back(
          fmt::format("ONNX Runtime has no operators of domain \"{}\" built in", opset.domain));
    } else if (opset.domain.empty() && opset.version > kOrtNewestOpset) {
      findings.push_back(fmt::format("opset {} needs an ONNX Runtime newer than 1.18 (opset {})",
                                     opset.version, kOrtNewestOpset));
    }
  }
  return findings;
}

std::string sentence(const Finding& finding) {
  static constexpr std::array<std::string_view, 3> kSeverity = {"error", "warning", "note"};
  const auto severity = kSeverity.at(static_cast<std::size_t>(finding.severity));
  return finding.where.empty()
             ? fmt::format("{}: {}", severity, finding.message)
             : fmt::format("{}: {}: {}", severity, finding.where, finding.message);
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
  if (!target.empty() && target != "ort-cpu") {
    const std::array<std::string, 1> targets = {"ort-cpu"};
    throw Error(codes::unknown_name, fmt::format("there is no target \"{}\"", target),
                did_you_mean(target, targets));
  }
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
    if (!target.empty()) {
      for (std::string& finding : findings_of_target(model.model)) {
        description.findings.push_back("warning: " + std::move(finding));
      }
    }
    recorder.document.descriptions.push_back(std::move(description));
  }
  return recorder.finish();
}

}  // namespace onnxpress
