// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "data/tokenizers/token_model.h"
#include "data/tokenizers/vocabulary.h"

namespace onnxpress {

struct BpeOptions {
  std::optional<std::int32_t> unknown_id{};  // without: characters that have no token vanish
  bool fuse_unknown = false;                 // unknown neighbours become one unknown token
  bool byte_fallback = false;                // <0x00> to <0xFF> instead of the unknown token
  bool ignore_merges = false;                // a word that is a token is not built from its parts
  std::string continuation{};                // stands before characters that continue a word
  std::string word_end{};                    // stands behind a word's last character
};

// Byte pair encoding: a word starts as characters; the pair of neighbours that comes first in
// `merges` becomes one token, until no pair is left. Takes n log n in the length of the word.
// Throws Error (bad_tokenizer) if a merge or its result is not in the vocabulary.
[[nodiscard]] std::unique_ptr<TokenModel> make_bpe(
    Vocabulary vocabulary, std::span<const std::pair<std::string, std::string>> merges,
    BpeOptions options);

}  // namespace onnxpress
