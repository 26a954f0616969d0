// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "command.h"

namespace onnxpress::cli {
namespace {

class Compare final : public Command {
 public:
  using Command::Command;
  CompareRequest request;
  bool list_metrics = false;

  std::string instead_of_running() override {
    std::string text;
    if (list_metrics) {
      for (const std::string& name : gate_metric_names()) text += name + "\n";
    }
    return text;
  }

  Document run(const Control& control) override {
    require_argument(!request.reference.empty() && !request.candidate.empty(), "pair of models",
                     "onnxpress compare model.onnx small.onnx --data dev.tsv");
    return compare(request, control);
  }
};

}  // namespace

std::unique_ptr<Command> add_compare(CLI::App& program) {
  CLI::App* app = program.add_subcommand("compare", "how far a model is from another");
  auto command = std::make_unique<Compare>(app);
  CompareRequest& request = command->request;
  app->add_option("REF", request.reference, "the original");
  app->add_option("NEW", request.candidate, "the model to be judged");
  app->add_flag("--latency", request.latency, "time them as well");
  app->add_option("--sequence", request.sequence, "tokens that latency is measured on")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_flag("--list-metrics", command->list_metrics, "print what gates can name");
  add_data_flags(*app, request.data);
  add_gate_flags(*app, request.fail_if);
  add_reading_flags(*app, request.reading);
  add_engine_flags(*app, request.engine);
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
