// SPDX-License-Identifier: Apache-2.0
#include "passes/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error_codes.h"
#include "onnxpress/nearest.h"

namespace onnxpress {
namespace {

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\u{:04x}", byte);
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string limits(const OptionInfo& option) {
  const bool low = std::isfinite(option.minimum);
  const bool high = std::isfinite(option.maximum);
  if (low && high) return fmt::format(", {:g} to {:g}", option.minimum, option.maximum);
  if (low) return fmt::format(", at least {:g}", option.minimum);
  if (high) return fmt::format(", at most {:g}", option.maximum);
  return "";
}

[[noreturn]] void refuse(const OptionInfo& option, std::string_view received) {
  throw Error(codes::bad_option,
              fmt::format("{} must be: {}; got {}", option.name, type_name(option), received));
}

void check_choice(const OptionInfo& option, const std::string& text) {
  if (option.choices.empty() || std::ranges::find(option.choices, text) != option.choices.end()) {
    return;
  }
  throw Error(codes::bad_option, fmt::format("{} can't be {}", option.name, quoted(text)),
              did_you_mean(text, option.choices));
}

void check_limits(const OptionInfo& option, double number) {
  if (number >= option.minimum && number <= option.maximum) return;  // false for NaN
  refuse(option, fmt::format("{:g}", number));
}

template <class Number>
Number parse_number(const OptionInfo& option, std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) refuse(option, quoted(text));
  return number;
}

}  // namespace

std::string type_name(const OptionInfo& option) {
  switch (option.default_value.index()) {
    case 0:
      return "true or false";
    case 1:
      return "integer" + limits(option);
    case 2:
      return "number" + limits(option);
    case 3:
      return option.choices.empty() ? "text" : fmt::format("{}", fmt::join(option.choices, " | "));
    default:
      return "list of texts";
  }
}

std::string to_toml(const OptionValue& value) {
  struct Writer {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const {
      const std::string text = fmt::format("{}", v);
      return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
    }
    std::string operator()(const std::string& v) const { return quoted(v); }
    std::string operator()(const std::vector<std::string>& v) const {
      std::vector<std::string> items;
      for (const auto& item : v) items.push_back(quoted(item));
      return fmt::format("[{}]", fmt::join(items, ", "));
    }
  };
  return std::visit(Writer{}, value);
}

OptionValue parse_option(const OptionInfo& option, std::string_view text) {
  switch (option.default_value.index()) {
    case 0:
      if (text == "true") return true;
      if (text == "false") return false;
      refuse(option, quoted(text));
    case 1:
      return check_option(option, parse_number<std::int64_t>(option, text));
    case 2:
      return check_option(option, parse_number<double>(option, text));
    case 3:
      return check_option(option, std::string(text));
    default: {
      std::vector<std::string> items;
      while (!text.empty()) {
        const std::size_t comma = text.find(',');
        items.emplace_back(text.substr(0, comma));
        text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
      }
      return items;
    }
  }
}

OptionValue check_option(const OptionInfo& option, const OptionValue& value) {
  if (option.default_value.index() == 2 && std::holds_alternative<std::int64_t>(value)) {
    return check_option(option, static_cast<double>(std::get<std::int64_t>(value)));
  }
  if (value.index() != option.default_value.index()) refuse(option, to_toml(value));
  if (const auto* text = std::get_if<std::string>(&value)) check_choice(option, *text);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    check_limits(option, static_cast<double>(*integer));
  }
  if (const auto* number = std::get_if<double>(&value)) check_limits(option, *number);
  return value;
}

std::vector<std::pair<std::string, OptionValue>> resolve_options(
    const std::vector<OptionInfo>& infos, const OptionValues& values, std::string_view where) {
  std::vector<std::string> known;
  for (const auto& info : infos) known.push_back(info.name);
  for (const auto& [name, value] : values) {
    if (std::ranges::find(known, name) != known.end()) continue;
    throw Error(codes::unknown_name, fmt::format("{} has no option \"{}\"", where, name),
                known.empty() ? "it has no options" : did_you_mean(name, known));
  }
  std::vector<std::pair<std::string, OptionValue>> resolved;
  for (const auto& info : infos) {
    const auto given = values.find(info.name);
    if (given == values.end()) {
      resolved.emplace_back(info.name, info.default_value);
      continue;
    }
    try {
      resolved.emplace_back(info.name, check_option(info, given->second));
    } catch (const Error& error) {
      throw error.in(where);
    }
  }
  return resolved;
}

}  // namespace onnxpress
