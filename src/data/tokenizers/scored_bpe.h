// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "data/tokenizers/sentencepiece_model.h"
#include "data/tokenizers/token_model.h"

namespace onnxpress {

// SentencePiece's kind of byte pair encoding: of all neighbours whose union is a piece, those with
// the highest score are joined first, from the left among equals. User-defined pieces are never
// joined. What is no piece in the end becomes bytes or the unknown piece (one for a run of them).
// Takes n log n.
[[nodiscard]] std::unique_ptr<TokenModel> make_scored_bpe(const SentencePieceModel& model);

}  // namespace onnxpress
