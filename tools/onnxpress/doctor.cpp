// SPDX-License-Identifier: Apache-2.0
#include "command.h"

namespace onnxpress::cli {
namespace {

class Doctor final : public Command {
 public:
  using Command::Command;
  Document run(const Control&) override { return doctor(); }
};

}  // namespace

std::unique_ptr<Command> add_doctor(CLI::App& program) {
  CLI::App* app =
      program.add_subcommand("doctor", "machine, libraries and self-tests, for bug reports");
  auto command = std::make_unique<Doctor>(app);
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
