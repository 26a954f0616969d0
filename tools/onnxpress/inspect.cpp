// SPDX-License-Identifier: Apache-2.0
#include "command.h"

namespace onnxpress::cli {
namespace {

class Inspect final : public Command {
 public:
  using Command::Command;
  std::vector<std::string> models;
  ReadingOptions reading;
  bool explain = false;

  Document run(const Control&) override {
    require_argument(!models.empty(), "model", "onnxpress inspect model.onnx");
    return inspect(models, explain, reading);
  }
};

}  // namespace

std::unique_ptr<Command> add_inspect(CLI::App& program) {
  CLI::App* app = program.add_subcommand("inspect", "what is in a model, and where its bytes are");
  auto command = std::make_unique<Inspect>(app);
  app->add_option("MODEL", command->models, "models");
  app->add_flag("--explain", command->explain,
                "say of every product why it can or can't be compressed");
  add_reading_flags(*app, command->reading);
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
