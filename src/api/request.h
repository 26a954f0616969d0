// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "data/dataset.h"
#include "eval/gate.h"
#include "eval/task.h"
#include "exec/session.h"
#include "onnxpress/document.h"
#include "onnxpress/options.h"
#include "targets/target.h"

// What the requests of the public interface have in common.
namespace onnxpress::api {

// A document with verb, version and host filled in; its clock starts.
class Recorder {
 public:
  Recorder(std::string verb, const EngineOptions& engine, const Control& control);

  // Runs a stage of the work: reports its begin and end, stops before it if the request was
  // cancelled. `work` gets a function that reports the share that is done and may return a line of
  // what it did.
  void stage(const std::string& name,
             const std::function<std::string(const std::function<void(double)>&)>& work);
  void warn(std::string_view code, std::string message);
  void require_not_cancelled() const;
  [[nodiscard]] const Control& control() const { return control_; }
  // Takes the document, with the seconds it took.
  [[nodiscard]] Document finish();

  Document document;

 private:
  Control control_;
  std::chrono::steady_clock::time_point start_;
};

// A model that was read, and what is known of its file.
struct OpenedModel {
  std::filesystem::path path;  // of the file, also where a folder was asked for
  Model model;
  FileInfo file;
};
// Reads a model file, or the model of a folder. Throws Error.
[[nodiscard]] OpenedModel open_model(const std::string& path, const ReadingOptions& reading);
// The same without file.sha256, which `sha256` will tell, from another thread.
[[nodiscard]] OpenedModel open_model(const std::string& path, const ReadingOptions& reading,
                                     BackgroundSha256& sha256);

// Session options as the engine's. Throws Error (bad_option) for an unknown instruction set.
[[nodiscard]] SessionOptions session_options(const EngineOptions& engine);

// Where text becomes tokens: what was asked for, or what lies beside the model; empty if nothing.
[[nodiscard]] std::string tokenizer_for(const DataOptions& data, const std::string& model);

// What samples are for. To measure on are all of --eval-data or, without it, those of --data that
// --samples leaves; to calibrate on are those of --data, 256 unless --samples says otherwise.
enum class DataUse { measuring, calibration };

// The samples, checked against the model's table of tokens; nothing where no data were given. Adds
// the files to document.inputs.
[[nodiscard]] std::optional<Dataset> open_data(const DataOptions& data, DataUse use,
                                               const OpenedModel& model, Document& document);

// The most tokens a table of positions has rows for; nothing where there is no such table.
[[nodiscard]] std::optional<std::int64_t> position_limit(const Graph& graph);

// The target of that name; nothing for "". Throws Error (unknown_name).
[[nodiscard]] std::optional<Target> read_target(const std::string& text);

// Gates, read. Throws Error (usage) if one can't be read or needs what is not going to be measured.
[[nodiscard]] std::vector<Gate> read_gates(const std::vector<std::string>& expressions,
                                           bool has_data, bool measures_latency);
// Judges them into document.gates; true if one failed. Then document.exit_code is 1.
bool judge_gates(const std::vector<Gate>& gates, Document& document);
[[nodiscard]] bool needs_timing(const std::vector<Gate>& gates);

}  // namespace onnxpress::api
