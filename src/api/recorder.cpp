// SPDX-License-Identifier: Apache-2.0
#include "api/request.h"
#include "base/cpu.h"
#include "base/error_codes.h"
#include "base/thread_pool.h"
#include "onnxpress/about.h"

namespace onnxpress::api {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Recorder::Recorder(std::string verb, const EngineOptions& engine, const Control& control)
    : control_(control), start_(std::chrono::steady_clock::now()) {
  document.verb = std::move(verb);
  document.version = version();
  document.commit = commit();
  const InstructionSet level =
      session_options(engine).instruction_set.value_or(detected_instruction_set());
  document.host = {cpu_model_name(), std::string(name(level)),
                   engine.threads > 0 ? engine.threads : available_cores()};
}

void Recorder::stage(const std::string& name,
                     const std::function<std::string(const std::function<void(double)>&)>& work) {
  require_not_cancelled();
  const auto start = std::chrono::steady_clock::now();
  const auto report = [&](double done) {
    if (control_.progress) control_.progress({name, {}, done, false, seconds_since(start)});
  };
  report(0);
  const std::string detail = work(report);
  if (control_.progress) control_.progress({name, detail, 1, true, seconds_since(start)});
}

void Recorder::warn(std::string_view code, std::string message) {
  document.warnings.push_back({std::string(code), std::move(message)});
}

void Recorder::require_not_cancelled() const {
  if (control_.cancelled != nullptr && *control_.cancelled) {
    throw Error(codes::cancelled, "stopped on request");
  }
}

Document Recorder::finish() {
  document.seconds = seconds_since(start_);
  return std::move(document);
}

}  // namespace onnxpress::api
