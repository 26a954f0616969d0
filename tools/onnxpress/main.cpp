// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <malloc.h>

#include <exception>
#include <new>
#include <span>

#include "command.h"
#include "report_file.h"
#include "signals.h"
#include "terminal.h"
#include "usage.h"

namespace onnxpress::cli {
namespace {

constexpr int kReaderGone = 128 + 13;  // as a shell reports a process that SIGPIPE ended
constexpr int kInternalExit = 70;
constexpr int kLargeBlock = 8 << 20;  // bytes, given back to the system as soon as they are free
constexpr int kKeptFree = 64 << 20;   // bytes of small blocks, which are soon wanted again

using AddCommand = std::unique_ptr<Command> (*)(CLI::App&);

struct Verb {
  const char* name;
  AddCommand add;
};
constexpr Verb kVerbs[] = {
    {"compress", add_compress}, {"bench", add_bench},
    {"compare", add_compare},   {"calibrate", add_calibrate},
    {"inspect", add_inspect},   {"check", add_check},
    {"run", add_run},           {"tokenize", add_tokenize},
    {"passes", add_passes},     {"explain", add_explain},
    {"doctor", add_doctor},     {"sensitivity", add_sensitivity},
};

std::string program_help() {
  CLI::App program("Makes ONNX transformers smaller and faster, and proves what it did.",
                   "onnxpress");
  std::vector<std::unique_ptr<Command>> commands;
  for (const Verb& verb : kVerbs) commands.push_back(verb.add(program));
  std::string text =
      "onnxpress: smaller and faster ONNX transformers, with proof\n\n"
      "usage: onnxpress VERB … (onnxpress VERB --help tells more)\n\n";
  for (const auto& command : commands) {
    text +=
        fmt::format("  {:<11} {}\n", command->app().get_name(), command->app().get_description());
  }
  return text +
         "\n  --version, --json-schema, --help\n\n"
         "example: onnxpress compress model.onnx -o small.onnx --preset int8-dynamic\n";
}

ErrorInfo info_of(const Error& error) {
  return {std::string(error.code()), error.what(), error.hint()};
}

// What is flying, as an error of the table and the exit code that goes with it.
std::pair<ErrorInfo, int> current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return {info_of(error), exit_code(error.kind())};
  } catch (const std::bad_alloc&) {
    const ErrorCode code = find_error("E0601").value();
    return {{std::string(code.id), "the memory ran out", std::string(code.help)},
            exit_code(code.kind)};
  } catch (const std::exception& error) {
    return {
        {"E0901", fmt::format("a bug in onnxpress {} ({}): {}", version(), commit(), error.what()),
         "please report this line, the command and what `onnxpress doctor` prints"},
        kInternalExit};
  }
}

Document failed_document(const std::string& verb, const ErrorInfo& error, int code) {
  Document document;
  document.verb = verb;
  document.version = version();
  document.commit = commit();
  document.error = error;
  document.exit_code = code;
  return document;
}

Format format_of(const OutputOptions& output) {
  if (output.json == "-" || output.format == "json") return Format::json;
  if (output.format == "md") return Format::markdown;
  return output.format == "csv" ? Format::csv : Format::human;
}

// Prints the document and writes it to the files that were asked for.
int hand_over(const Document& document, const OutputOptions& output) {
  RenderOptions options;
  options.color = wants_color(output, 1);
  options.verbose = output.verbose;
  if (!output.quiet && format_of(output) != Format::json) {
    for (const Notice& warning : document.warnings) {
      print_message(
          fmt::format("warning[{}]: {}\n", warning.code, escape_terminal(warning.message)));
    }
  }
  for (const std::string& path : report_files(output)) write_report(path, document);
  const std::string text = render(document, format_of(output), options);
  return print(text) ? document.exit_code : kReaderGone;
}

int fail(const std::string& verb, const OutputOptions& output,
         const std::vector<std::string>& reports, bool json_on_stdout) {
  const auto [error, code] = current_error();
  end_by_signal_if_any();
  const Document document = failed_document(verb, error, code);
  print_message(error_lines(error, wants_color(output, 2)));
  try {
    for (const std::string& path : reports) write_report(path, document);
    if (json_on_stdout && !print(render(document, Format::json))) return kReaderGone;
  } catch (const std::exception&) {
    return code;  // the first error is the one that counts
  }
  return code;
}

// `reports` gets the files that may be written, once they have been checked.
int run_command(Command& command, const std::vector<std::string>& arguments,
                std::vector<std::string>& reports) {
  const std::string help = parse_arguments(command.app(), arguments);
  if (!help.empty()) return print(help) ? 0 : kReaderGone;
  check_report_files(command.output);
  reports = report_files(command.output);
  const std::string text = command.instead_of_running();
  if (!text.empty()) return print(text) ? 0 : kReaderGone;
  Control control;
  control.cancelled = &cancelled();
  Document document;
  {
    ProgressDisplay display(command.output);
    control.progress = [&](const ProgressEvent& event) { display.show(event); };
    document = command.run(control);
  }
  return hand_over(document, command.output);
}

int run_program(std::vector<std::string> arguments) {
  arguments = with_json_values(std::move(arguments));
  const bool json = asks_for_json(arguments);
  const std::string first = arguments.empty() ? "" : arguments.front();
  OutputOptions output;
  std::vector<std::string> reports;
  std::unique_ptr<Command> command;
  CLI::App program("", "onnxpress");
  try {
    if (first == "--help" || first == "-h" || first == "help") {
      return print(program_help()) ? 0 : kReaderGone;
    }
    if (first == "--version" || first == "-V") {
      return print(fmt::format("onnxpress {} ({})\n", version(), commit())) ? 0 : kReaderGone;
    }
    if (first == "--json-schema") return print(json_schema()) ? 0 : kReaderGone;
    std::vector<std::string> names;
    for (const Verb& verb : kVerbs) names.emplace_back(verb.name);
    if (first.empty() || first.starts_with('-')) {
      throw usage_error(first.empty() ? "no verb is given" : "a verb must come before " + first,
                        "see onnxpress --help; " + did_you_mean("", names));
    }
    for (const Verb& verb : kVerbs) {
      if (first == verb.name) command = verb.add(program);
    }
    if (!command) {
      throw unknown_name("there is no verb \"" + first + "\"", did_you_mean(first, names));
    }
    return run_command(*command, {arguments.begin() + 1, arguments.end()}, reports);
  } catch (...) {
    const OutputOptions& asked = command ? command->output : output;
    return fail(command ? first : "", asked, reports, json);
  }
}

}  // namespace

// Otherwise blocks of many megabytes, which matrices come and go in, leave holes in the heap.
void give_back_large_blocks() {
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  ::mallopt(M_TRIM_THRESHOLD, kKeptFree);
}
}  // namespace onnxpress::cli

int main(int argc, char** argv) {
  try {
    onnxpress::cli::give_back_large_blocks();
    onnxpress::cli::occupy_standard_descriptors();
    onnxpress::cli::install_signal_handlers();
    const std::span<char*> all(argv, static_cast<std::size_t>(argc));
    return onnxpress::cli::run_program({all.begin() + (argc > 0 ? 1 : 0), all.end()});
  } catch (...) {  // not even the error could be reported, for want of memory
    return onnxpress::exit_code(onnxpress::ErrorKind::resource);
  }
}
