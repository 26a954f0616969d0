// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/charsmap.h"

#include <cstddef>

#include "base/error_codes.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

// The fields of a unit of the double array, as Darts-clone packs them.
bool has_leaf(std::uint32_t unit) {
  return (unit >> 8U & 1U) == 1U;
}
std::uint32_t leaf_value(std::uint32_t unit) {
  return unit & 0x7FFFFFFFU;
}
std::uint32_t label(std::uint32_t unit) {
  return unit & 0x800000FFU;
}
std::uint32_t offset(std::uint32_t unit) {
  return unit >> 10U << ((unit & 0x200U) >> 6U);
}

// A cluster of more bytes than this is looked up by code points only.
constexpr std::size_t kLongestCluster = 5;

}  // namespace

Charsmap::Charsmap(std::string_view blob) {
  const std::size_t trie_bytes = blob.size() >= 4 ? little_endian(blob) : 0;
  if (blob.size() < 4 || trie_bytes > blob.size() - 4 || trie_bytes % 4 != 0) {
    throw Error(codes::bad_tokenizer, "the precompiled_charsmap is cut off");
  }
  for (std::size_t i = 4; i < 4 + trie_bytes; i += 4) {
    units_.push_back(little_endian(blob.substr(i)));
  }
  replacements_ = blob.substr(4 + trie_bytes);
}

std::optional<Charsmap::Entry> Charsmap::shortest(std::string_view text) const {
  return find(text, false);
}

std::optional<Charsmap::Entry> Charsmap::longest(std::string_view text) const {
  return find(text, true);
}

std::optional<Charsmap::Entry> Charsmap::find(std::string_view text, bool longest) const {
  std::optional<Entry> found;
  std::size_t node = units_.empty() ? 0 : offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label(units_[node]) != byte) break;
    const std::uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    const std::size_t start =
        node < units_.size() ? leaf_value(units_[node]) : replacements_.size() + 1;
    if (start > replacements_.size()) break;
    const std::string_view rest = std::string_view(replacements_).substr(start);
    found = Entry{i + 1, rest.substr(0, rest.find('\0'))};
    if (!longest) break;
  }
  return found;
}

std::string Charsmap::apply(std::string_view text) const {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    std::string_view cluster = text.substr(0, unicode::first_grapheme(text));
    text.remove_prefix(cluster.size());
    if (cluster.size() <= kLongestCluster) {
      if (const auto entry = shortest(cluster)) {
        result += entry->replacement;
        continue;
      }
    }
    while (!cluster.empty()) {
      const std::string_view character = cluster.substr(0, unicode::first(cluster).bytes);
      const auto entry = shortest(character);
      result += entry ? entry->replacement : character;
      cluster.remove_prefix(character.size());
    }
  }
  return unicode::valid_utf8(result);
}

std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    buffer = buffer << 6U | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>(buffer >> static_cast<unsigned>(bits) & 0xFFU));
    }
  }
  return bytes;
}

}  // namespace onnxpress
