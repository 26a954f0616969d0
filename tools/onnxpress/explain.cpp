// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "command.h"
#include "usage.h"

namespace onnxpress::cli {
namespace {

class Explain final : public Command {
 public:
  using Command::Command;
  std::string id;

  std::string instead_of_running() override {
    require_argument(!id.empty(), "error", "onnxpress explain E0312");
    if (id == "all") {
      std::string text;
      for (const ErrorCode& code : all_errors()) text += line(code);
      return text;
    }
    const std::optional<ErrorCode> code = find_error(id);
    if (!code)
      throw unknown_name(fmt::format("there is no error \"{}\"", id), "see onnxpress explain all");
    return line(*code) +
           fmt::format("help: {}\nexit code: {}\n", code->help, exit_code(code->kind));
  }

  Document run(const Control&) override { return {}; }

 private:
  static std::string line(const ErrorCode& code) {
    return fmt::format("{}: {}\n", code.id, code.title);
  }
};

}  // namespace

std::unique_ptr<Command> add_explain(CLI::App& program) {
  CLI::App* app = program.add_subcommand("explain", "what an error means: E0312, or all");
  auto command = std::make_unique<Explain>(app);
  command->output.offers_json = false;
  app->add_option("ERROR", command->id, "the id of an error, or \"all\"");
  return command;
}

}  // namespace onnxpress::cli
