// SPDX-License-Identifier: Apache-2.0
#include "command.h"

namespace onnxpress::cli {
namespace {

class Passes final : public Command {
 public:
  using Command::Command;
  std::string name;

  Document run(const Control&) override { return list_passes(name); }
};

}  // namespace

std::unique_ptr<Command> add_passes(CLI::App& program) {
  CLI::App* app = program.add_subcommand("passes", "list passes and presets; one pass's options");
  auto command = std::make_unique<Passes>(app);
  app->add_option("NAME", command->name, "a pass");
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
