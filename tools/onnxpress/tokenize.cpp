// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "command.h"
#include "terminal.h"

namespace onnxpress::cli {
namespace {

class Tokenize final : public Command {
 public:
  using Command::Command;
  TokenizeRequest request;

  Document run(const Control&) override {
    const std::string example = "onnxpress tokenize --tokenizer vocab.txt text.txt";
    require_argument(!request.tokenizer.empty(), "--tokenizer", example);
    require_argument(!request.input.empty(), "text file", example);
    std::string lines;
    bool reader_gone = false;
    constexpr std::size_t kPrintedAtOnce = 1 << 16;
    Document document = tokenize(request, [&](std::span<const std::int32_t> ids) {
      lines += fmt::format("{{\"ids\": [{}]}}\n", fmt::join(ids, ", "));
      if (lines.size() < kPrintedAtOnce || reader_gone) return;
      reader_gone = !print(lines);
      lines.clear();
    });
    if (!reader_gone) reader_gone = !print(lines);
    return document;
  }
};

}  // namespace

std::unique_ptr<Command> add_tokenize(CLI::App& program) {
  CLI::App* app = program.add_subcommand("tokenize", "one JSON line of token ids a line of text");
  auto command = std::make_unique<Tokenize>(app);
  TokenizeRequest& request = command->request;
  command->output.offers_json = false;
  app->add_option("TEXT", request.input, "a .txt file, or .jsonl with a field \"text\"");
  app->add_option("--tokenizer", request.tokenizer,
                  "vocab.txt, vocab.json, tokenizer.json or .model, or a folder with one")
      ->type_name("FILE");
  app->add_flag("--cased", request.cased, "vocab.txt keeps case and accents");
  app->add_option("--max-length", request.max_length, "cut to so many tokens")->type_name("N");
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
