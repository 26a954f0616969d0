// SPDX-License-Identifier: Apache-2.0
#include "command.h"

namespace onnxpress::cli {
namespace {

class Run final : public Command {
 public:
  using Command::Command;
  RunRequest request;

  Document run(const Control& control) override {
    const std::string example = "onnxpress run model.onnx --data x.npz -o y.npz";
    require_argument(!request.model.empty(), "model", example);
    require_argument(!request.data.empty(), "--data", example);
    require_argument(!request.output.empty(), "output", example);
    return onnxpress::run(request, control);
  }
};

}  // namespace

std::unique_ptr<Command> add_run(CLI::App& program) {
  CLI::App* app = program.add_subcommand("run", "inputs by name in, outputs by name out");
  auto command = std::make_unique<Run>(app);
  RunRequest& request = command->request;
  app->add_option("MODEL", request.model, "an .onnx file, or a folder");
  app->add_option("--data", request.data, "the inputs")->type_name("FILE.npz");
  app->add_option("-o,--output", request.output, "the outputs")->type_name("FILE.npz");
  app->add_flag("-f,--force", request.force, "replace the output if it exists");
  add_reading_flags(*app, request.reading);
  add_engine_flags(*app, request.engine);
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
