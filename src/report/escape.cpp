// SPDX-License-Identifier: Apache-2.0
#include "report/escape.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>

namespace onnxpress {
namespace {

// Length of the UTF-8 sequence at the front, and its code point; 0 if it is not one.
std::size_t decode(std::string_view text, std::uint32_t& code_point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    code_point = first;
    return 1;
  }
  std::size_t length = 0;
  std::uint32_t smallest = 0;
  if ((first & 0xE0U) == 0xC0) {
    length = 2;
    smallest = 0x80;
    code_point = first & 0x1FU;
  } else if ((first & 0xF0U) == 0xE0) {
    length = 3;
    smallest = 0x800;
    code_point = first & 0x0FU;
  } else if ((first & 0xF8U) == 0xF0) {
    length = 4;
    smallest = 0x10000;
    code_point = first & 0x07U;
  } else {
    return 0;
  }
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
    code_point = (code_point << 6U) | (byte(i) & 0x3FU);
  }
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  return code_point < smallest || code_point > 0x10FFFF || surrogate ? 0 : length;
}

bool turns_direction(std::uint32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

bool separates_lines(std::uint32_t c) {
  return c == 0x2028 || c == 0x2029;
}

}  // namespace

std::string escape_terminal(std::string_view text) {
  std::string escaped;
  if (text.starts_with("::")) escaped += '\\';
  while (!text.empty()) {
    std::uint32_t c = 0;
    const std::size_t length = decode(text, c);
    if (length == 0) {
      escaped += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (c == '\n') {
      escaped += "\\n";
    } else if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
      escaped += fmt::format("\\x{:02x}", c);
    } else if (turns_direction(c) || separates_lines(c)) {
      escaped += fmt::format("\\u{{{:04x}}}", c);
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return escaped;
}

std::string escape_markdown(std::string_view text) {
  std::string escaped;
  for (const char c : escape_terminal(text)) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '|':
      case '`':
      case '*':
      case '_':
      case '[':
      case ']':
      case '\\':
        escaped += '\\';
        [[fallthrough]];
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string escape_csv(std::string_view text) {
  std::string field = escape_terminal(text);
  if (!field.empty() && std::string_view("=+-@").find(field[0]) != std::string_view::npos) {
    char* end = nullptr;
    std::strtod(field.c_str(), &end);
    if (end != field.c_str() + field.size()) field.insert(field.begin(), '\'');
  }
  if (field.find_first_of(",\"\n;\t") == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace onnxpress
