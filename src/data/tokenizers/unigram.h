// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizers/sentencepiece_model.h"
#include "data/tokenizers/token_model.h"

namespace onnxpress {

// The unigram model (Kudo 2018): of all ways to cut a word into pieces, the one with the highest
// sum of log probabilities. A character that no piece covers costs 10 more than the least likely
// piece; such neighbours become one unknown token, or bytes where `byte_fallback` and the pieces
// <0x00> to <0xFF> exist. Ids are positions in `pieces`. Throws Error (bad_tokenizer) if unknown_id
// is no position or a score is not finite.
[[nodiscard]] std::unique_ptr<TokenModel> make_unigram(
    const std::vector<std::pair<std::string, double>>& pieces,
    std::optional<std::size_t> unknown_id, bool byte_fallback);

// The same of a SentencePiece model: control, byte and unused pieces are not found in text, a
// user-defined piece is preferred to all others.
[[nodiscard]] std::unique_ptr<TokenModel> make_unigram(const SentencePieceModel& model);

}  // namespace onnxpress
