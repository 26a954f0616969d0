// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/pass.h"
#include "pipeline/recipe.h"

namespace onnxpress {

// Where a run stands. Called from the thread that runs.
struct Progress {
  std::string pass;
  std::size_t index = 0;  // of the pass, from 0
  std::size_t count = 0;  // of passes
  double done = 0;        // share of this pass, 0 to 1
};

struct RunOptions {
  int threads = 0;       // 0: as many as there are cores
  bool dry_run = false;  // work on a copy of the graph; the result's model is the input
  // Weights that are not finite, and a quantized model with nothing left to quantize, are errors.
  bool strict = false;
  bool keep_opset = false;  // refuse a pass that needs a newer opset, instead of raising the model
  // Where the recipe lies: what its paths count from. Not part of the recipe or its hash.
  std::filesystem::path folder{};
  const Calibration* calibration = nullptr;  // samples for the passes that look at data
  std::function<void(const Progress&)> progress{};
  const std::atomic<bool>* cancelled = nullptr;  // checked between units; then throws Cancelled
  // Written to the model's metadata_props where not empty.
  std::string tool_version{};
  std::function<std::string()> input_sha256{};  // asked for after the last pass
};

// Thrown by run_recipe after RunOptions::cancelled was set.
struct Cancelled : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "cancelled"; }
};

// What one pass did, or would do.
struct PassReport {
  std::string name;
  std::vector<std::pair<std::string, OptionValue>> options;  // all, as resolved
  std::vector<UnitPlan> units;
  std::map<std::size_t, UnitFigures> figures;  // by index into units
  std::vector<std::string> warnings;
  std::size_t changed = 0;
  double seconds = 0;
  // Bytes of all weights of the model, each counted once, before and after the pass. Exact, also
  // where nothing was done yet.
  std::int64_t weight_bytes_before = 0;
  std::int64_t weight_bytes_after = 0;
  // One line for people: "37 of 38 units INT8 per channel (kept: 1)".
  std::string summary;
};

struct RunResult {
  Model model;  // the compressed one; the input where dry_run
  std::vector<PassReport> passes;
  std::int64_t weight_bytes_before = 0;
  std::int64_t weight_bytes_after = 0;
  std::int64_t predicted_bytes = 0;  // of the file that writing the result makes (or would make)
};

// Runs the recipe's passes on a model: each is planned, applied, cleaned up after, verified and
// timed. Before a pass that needs a newer opset and has something to do, upgrade_opset is run. The
// same model, recipe and version give the same result for any number of threads. Throws what passes
// throw, with the pass's name added, Error (unsupported_model), and Cancelled.
[[nodiscard]] RunResult run_recipe(Model model, const Recipe& recipe,
                                   const RunOptions& options = {});

// Whether some pass of the recipe looks at calibration data if there are any.
[[nodiscard]] bool uses_data(const Recipe& recipe);

// Keys of metadata_props that the runner writes.
inline constexpr std::string_view kVersionKey = "onnxpress.version";
inline constexpr std::string_view kRecipeKey = "onnxpress.recipe_sha256";
inline constexpr std::string_view kInputKey = "onnxpress.input_sha256";

}  // namespace onnxpress
