// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onnxpress {

// SentencePiece's compiled normalization ("precompiled_charsmap"): a double-array trie (Darts) from
// byte sequences to positions in a block of zero-terminated replacements.
class Charsmap {
 public:
  // `blob`: 4 bytes size of the trie, the trie, the replacements. Throws Error (bad_tokenizer).
  explicit Charsmap(std::string_view blob);

  // Replaces what the map has, one grapheme cluster or else one code point at a time (as
  // Hugging Face's tokenizers do; SentencePiece itself takes the longest match). Expects valid
  // UTF-8.
  [[nodiscard]] std::string apply(std::string_view text) const;

  // An entry that a text starts with.
  struct Entry {
    std::size_t length = 0;  // bytes of the text
    std::string_view replacement;
  };
  [[nodiscard]] std::optional<Entry> shortest(std::string_view text) const;
  [[nodiscard]] std::optional<Entry> longest(std::string_view text) const;

 private:
  [[nodiscard]] std::optional<Entry> find(std::string_view text, bool longest) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

// The bytes that base64 text stands for; nothing if it is not base64.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace onnxpress
