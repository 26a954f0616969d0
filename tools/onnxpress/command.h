// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <string>
#include <vector>

#include "onnxpress/onnxpress.h"

namespace onnxpress::cli {

// What every verb prints and how.
struct OutputOptions {
  std::string json;  // "": no; "-": to stdout, instead of the table; otherwise a file
  std::string format = "human";
  std::string report;  // a file, in the format of its extension
  bool quiet = false;
  bool verbose = false;
  std::string color = "auto";
  std::string progress = "auto";
  bool offers_json = true;  // tokenize prints lines of JSON of its own
};

// A verb: its flags, and what to do.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}
  virtual ~Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Throws Error. What it returns is printed by the caller.
  [[nodiscard]] virtual Document run(const Control& control) = 0;
  // Text to print instead of a document, e.g. for --print-recipe; "" for none. Throws Error.
  [[nodiscard]] virtual std::string instead_of_running() { return {}; }

  [[nodiscard]] CLI::App& app() { return *app_; }
  OutputOptions output;

 private:
  CLI::App* app_;
};

std::unique_ptr<Command> add_compress(CLI::App& program);
std::unique_ptr<Command> add_bench(CLI::App& program);
std::unique_ptr<Command> add_compare(CLI::App& program);
std::unique_ptr<Command> add_calibrate(CLI::App& program);
std::unique_ptr<Command> add_inspect(CLI::App& program);
std::unique_ptr<Command> add_check(CLI::App& program);
std::unique_ptr<Command> add_run(CLI::App& program);
std::unique_ptr<Command> add_tokenize(CLI::App& program);
std::unique_ptr<Command> add_passes(CLI::App& program);
std::unique_ptr<Command> add_explain(CLI::App& program);
std::unique_ptr<Command> add_doctor(CLI::App& program);
std::unique_ptr<Command> add_sensitivity(CLI::App& program);

// Flags that mean the same on every verb that has them.
void add_output_flags(Command& command);
void add_reading_flags(CLI::App& app, ReadingOptions& reading);
void add_engine_flags(CLI::App& app, EngineOptions& engine);
void add_data_flags(CLI::App& app, DataOptions& data);
void add_gate_flags(CLI::App& app, std::vector<std::string>& fail_if);

// Throws Error (usage_error) that says which argument is missing.
void require_argument(bool given, const std::string& what, const std::string& example);

}  // namespace onnxpress::cli
