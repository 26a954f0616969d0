// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/added_tokens.h"

#include <utility>

#include "data/unicode.h"

namespace onnxpress {
namespace {

// The last code point of a text that is not empty and valid UTF-8, and where it starts.
std::pair<char32_t, std::size_t> last(std::string_view text) {
  std::size_t start = text.size() - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80) --start;
  return {unicode::first(text.substr(start)).value, start};
}

bool stands_alone(std::string_view before, std::string_view behind) {
  return (before.empty() || !unicode::is_word(last(before).first)) &&
         (behind.empty() || !unicode::is_word(unicode::first(behind).value));
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::vector<std::pair<std::string, std::int32_t>> entries;
  for (const AddedToken& token : tokens_) {
    entries.emplace_back(token.content, static_cast<std::int32_t>(entries.size()));
  }
  index_ = PrefixIndex(std::move(entries));
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size() && !index_.empty();) {
    const auto match = index_.longest(text.substr(at));
    if (match.length == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(match.id)];
    std::size_t begin = at;
    std::size_t end = at + match.length;
    at = end;
    if (token.single_word && !stands_alone(text.substr(0, begin), text.substr(end))) continue;
    while (token.strip_left && begin > done) {
      const auto [c, start] = last(text.substr(0, begin));
      if (!unicode::is_whitespace(c)) break;
      begin = start;
    }
    while (token.strip_right && end < text.size()) {
      const auto [c, bytes] = unicode::first(text.substr(end));
      if (!unicode::is_whitespace(c)) break;
      end += bytes;
    }
    if (begin > done) parts.push_back({text.substr(done, begin - done), -1});
    parts.push_back({text.substr(begin, end - begin), token.id});
    at = done = end;
  }
  if (done < text.size() || parts.empty()) parts.push_back({text.substr(done), -1});
  return parts;
}

}  // namespace onnxpress
