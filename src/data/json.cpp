// SPDX-License-Identifier: Apache-2.0
#include "data/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>

namespace onnxpress {
namespace {

constexpr int kDepthLimit = 128;

// How deep brackets are nested; counts those in text that is not JSON, too.
int nesting(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

const nlohmann::json& member(const nlohmann::json& object, const char* name,
                             nlohmann::json::value_t type, const ErrorCode& code) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found != object.end() && found->type() == type) return *found;
  throw Error(code, fmt::format("\"{}\" has to be {}", name,
                                type == nlohmann::json::value_t::array ? "a list" : "an object"));
}

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view source, const ErrorCode& code) {
  if (nesting(text) > kDepthLimit) {
    throw Error(code, fmt::format("{}: JSON is nested more than {} deep", source, kDepthLimit));
  }
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const auto end = std::min<std::size_t>(error.byte, text.size());
    const auto line = 1 + std::ranges::count(text.substr(0, end), '\n');
    throw Error(code, fmt::format("{}: not valid JSON at line {} (byte {})", source, line, end));
  } catch (const nlohmann::json::exception&) {  // e.g. a number out of range
    throw Error(code, fmt::format("{}: JSON that can't be represented", source));
  }
}

const nlohmann::json& list_member(const nlohmann::json& object, const char* name,
                                  const ErrorCode& code) {
  return member(object, name, nlohmann::json::value_t::array, code);
}

const nlohmann::json& object_member(const nlohmann::json& object, const char* name,
                                    const ErrorCode& code) {
  return member(object, name, nlohmann::json::value_t::object, code);
}

}  // namespace onnxpress
