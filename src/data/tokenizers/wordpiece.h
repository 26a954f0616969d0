// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "data/tokenizers/token_model.h"
#include "data/tokenizers/vocabulary.h"

namespace onnxpress {

struct WordPieceOptions {
  std::int32_t unknown_id = 0;
  std::string continuation = "##";   // stands before a token that continues a word
  std::size_t max_characters = 100;  // a longer word is unknown as a whole
};

// BERT's model: from the left, always the longest token that fits; a word with a rest that no token
// fits is unknown as a whole.
[[nodiscard]] std::unique_ptr<TokenModel> make_wordpiece(const Vocabulary& vocabulary,
                                                         const WordPieceOptions& options);

// The word as a whole, or the unknown token; nothing where there is none (-1).
[[nodiscard]] std::unique_ptr<TokenModel> make_word_level(Vocabulary vocabulary,
                                                          std::int32_t unknown_id);

}  // namespace onnxpress
