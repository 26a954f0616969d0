// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "command.h"

namespace onnxpress::cli {
namespace {

class Sensitivity final : public Command {
 public:
  using Command::Command;
  SensitivityRequest request;

  Document run(const Control& control) override {
    require_argument(!request.model.empty(), "model",
                     "onnxpress sensitivity model.onnx --data train.tsv");
    return sensitivity(request, control);
  }
};

// Names between commas, empty ones, too: they are refused like all that are no kind.
void add_kinds(const std::vector<std::string>& lists, std::vector<std::string>& kinds) {
  for (const std::string& list : lists) {
    for (std::size_t start = 0; start <= list.size();) {
      const std::size_t end = std::min(list.find(',', start), list.size());
      kinds.push_back(list.substr(start, end - start));
      start = end + 1;
    }
  }
}

}  // namespace

std::unique_ptr<Command> add_sensitivity(CLI::App& program) {
  CLI::App* app =
      program.add_subcommand("sensitivity", "what removing or rounding each part would cost");
  auto command = std::make_unique<Sensitivity>(app);
  SensitivityRequest& request = command->request;
  app->add_option("MODEL", request.model, "an .onnx file or a folder");
  app->add_option_function<std::vector<std::string>>(
         "--kind", [&request](const auto& lists) { add_kinds(lists, request.kinds); },
         "layers, units, heads or neurons (repeatable, or with commas; default: all)")
      ->type_name("KIND")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::Option* table =
      app->add_option("--latency-table", request.latency_table,
                      "also time the model with fewer heads and neurons, for budget = latency")
          ->type_name("FILE.tsv")
          ->check([](const std::string& path) { return path.empty() ? "the name is empty" : ""; });
  app->add_option("--latency-shape", request.latency_shape, "batch and tokens of these runs")
      ->type_name("BxT")
      ->needs(table)
      ->capture_default_str();
  app->add_flag("-f,--force", request.force, "replace the table if it exists");
  add_data_flags(*app, request.data);
  app->remove_option(app->get_option("--eval-data"));
  add_reading_flags(*app, request.reading);
  add_engine_flags(*app, request.engine);
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
