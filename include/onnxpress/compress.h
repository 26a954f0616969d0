// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "onnxpress/document.h"
#include "onnxpress/options.h"

namespace onnxpress {

// Makes a model smaller.
//
//   CompressRequest request;
//   request.input = "model.onnx";
//   request.output = "small.onnx";
//   request.preset = "int8-dynamic";
//   request.data = {.data = "dev.tsv", .tokenizer = "vocab.txt"};
//   request.fail_if = {"accuracy_drop > 0.5%"};
//   Document document = compress(request);
//   std::cout << render(document, Format::human);
struct CompressRequest {
  std::string input{};            // a file, or a folder as the Hugging Face exporters write it
  std::string output{};           // may be empty in a dry run
  bool force = false;             // replace what is there
  std::string external = "auto";  // weights in a file of their own: "auto", "always", "never"
  bool keep_metadata = false;     // what exporters note for debugging

  std::string preset{};            // "" (with no recipe): the default preset
  std::string recipe{};            // a TOML file, instead of a preset
  std::vector<std::string> set{};  // "pass.key=value"
  // "" or what the result is meant for: "ort-cpu", "ort-cpu-avx2" (docs/targets.md). What it can't
  // run is refused, what it does badly is warned of. For ort-cpu-avx2 the passes' option `weights`
  // is "auto" where it was not given.
  std::string target{};
  std::vector<std::string> include{}, exclude{};  // globs over unit names
  bool keep_opset = false;  // refuse passes that need a newer opset, instead of raising the model

  // Nothing is measured but the size unless there are data; then also latency, and accuracy where
  // there are labels.
  DataOptions data{};
  // A file that calibrate() made of this model. Without data, passes take the original's statistics
  // from it; with data, those that they would otherwise run the unedited model for.
  std::string calibration{};
  ReadingOptions reading{};
  EngineOptions engine{};
  bool evaluate = true;        // false: not even with data
  bool latency = false;        // time the models even without data
  std::size_t sequence = 128;  // tokens that the latency is measured on

  std::vector<std::string> fail_if{};  // gates, "METRIC OP NUMBER[UNIT]"
  bool keep_rejected = false;          // a result that fails a gate is kept as NAME.rejected.onnx
  bool strict = false;   // weights with NaN, and models with nothing left to quantize, are errors
  bool dry_run = false;  // plan only; the predicted size is exact
};

// Reads, compresses, writes to a temporary name, reads back, measures, judges the gates and only
// then publishes the output. A failed gate is no Error: document.exit_code is 1 and nothing is
// published. Throws Error for everything else that goes wrong, with nothing left behind.
[[nodiscard]] Document compress(const CompressRequest& request, const Control& control = {});

// The recipe that compress() would follow, as TOML.
[[nodiscard]] std::string resolved_recipe(const CompressRequest& request);

// Throws Error (usage) if a gate can't be read, or needs what the request does not measure.
void check_gates(const std::vector<std::string>& fail_if, bool has_data, bool measures_latency);

// The metrics that gates know.
[[nodiscard]] std::vector<std::string> gate_metric_names();

// Removes the temporary files of all unfinished requests of this process. Async-signal-safe, for
// handlers of signals that end the process.
void remove_temporary_files() noexcept;

}  // namespace onnxpress
