// SPDX-License-Identifier: Apache-2.0
#include "command.h"

namespace onnxpress::cli {
namespace {

class Check final : public Command {
 public:
  using Command::Command;
  std::vector<std::string> models;
  ReadingOptions reading;
  std::string target;

  Document run(const Control&) override {
    require_argument(!models.empty(), "model", "onnxpress check model.onnx");
    return check(models, target, reading);
  }
};

}  // namespace

std::unique_ptr<Command> add_check(CLI::App& program) {
  CLI::App* app = program.add_subcommand("check", "strict validation");
  auto command = std::make_unique<Check>(app);
  app->add_option("MODEL", command->models, "models");
  app->add_option("--target", command->target, "also whether that runtime runs it, and how")
      ->type_name("ort-cpu|ort-cpu-avx2");
  add_reading_flags(*app, command->reading);
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
