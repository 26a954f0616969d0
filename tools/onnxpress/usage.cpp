// SPDX-License-Identifier: Apache-2.0
#include "usage.h"

#include <algorithm>

namespace onnxpress::cli {
namespace {

Error error_of(std::string_view id, const std::string& message, const std::string& hint) {
  return {find_error(id).value(), message, hint};
}

std::vector<std::string> long_flags(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// What was not understood, e.g. a misspelt flag.
void require_nothing_left(const CLI::App& verb) {
  const std::vector<std::string> left = verb.remaining();
  if (left.empty()) return;
  const auto flag =
      std::ranges::find_if(left, [](const std::string& text) { return text.starts_with('-'); });
  const std::string help = "see onnxpress " + verb.get_name() + " --help";
  if (flag == left.end()) {
    throw usage_error("\"" + left.front() + "\" is one argument too many", help);
  }
  const std::string name = flag->substr(0, flag->find('='));
  const std::string best = nearest(name, long_flags(verb));
  throw unknown_name("there is no flag " + name + " for " + verb.get_name(),
                     best.empty() ? help : "did you mean " + best + "?");
}

}  // namespace

Error usage_error(const std::string& message, const std::string& hint) {
  return error_of("E0001", message, hint);
}
Error unknown_name(const std::string& message, const std::string& hint) {
  return error_of("E0002", message, hint);
}
Error bad_value(const std::string& message, const std::string& hint) {
  return error_of("E0003", message, hint);
}

std::vector<std::string> with_json_values(std::vector<std::string> arguments) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") {
      result.insert(result.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                    arguments.end());
      break;
    }
    if (arguments[i] != "--json") {
      result.push_back(std::move(arguments[i]));
    } else if (i + 1 < arguments.size() && arguments[i + 1].ends_with(".json") &&
               !arguments[i + 1].starts_with('-')) {
      result.push_back("--json=" + arguments[++i]);
    } else {
      result.emplace_back("--json=-");
    }
  }
  return result;
}

bool asks_for_json(std::span<const std::string> arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") return false;
    if (arguments[i] == "--json=-" || arguments[i] == "--format=json") return true;
    if (arguments[i] == "--format" && i + 1 < arguments.size() && arguments[i + 1] == "json") {
      return true;
    }
  }
  return false;
}

std::string parse_arguments(CLI::App& verb, std::vector<std::string> arguments) {
  const std::string help = "see onnxpress " + verb.get_name() + " --help";
  verb.allow_extras();              // told apart in require_nothing_left()
  std::ranges::reverse(arguments);  // as CLI11 wants them
  try {
    verb.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return verb.help();
  } catch (const CLI::ConversionError& error) {
    throw bad_value(error.what(), help);
  } catch (const CLI::ValidationError& error) {
    throw bad_value(error.what(), help);
  } catch (const CLI::ParseError& error) {
    throw usage_error(error.what(), help);
  }
  require_nothing_left(verb);
  return {};
}

}  // namespace onnxpress::cli
