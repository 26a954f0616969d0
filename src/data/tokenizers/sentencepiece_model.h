// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace onnxpress {

// What a SentencePiece .model file holds, as far as encoding needs it (sentencepiece_model.proto).
struct SentencePieceModel {
  enum class PieceType { normal = 1, unknown, control, user_defined, unused, byte };
  enum class Kind { unigram = 1, bpe, word, character };
  struct Piece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::normal;
  };
  std::vector<Piece> pieces;  // by id
  Kind kind = Kind::unigram;
  bool byte_fallback = false;
  std::int32_t unknown_id = 0, bos_id = 1, eos_id = 2, pad_id = -1;
  // Normalization.
  std::string charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool whitespace_as_suffix = false;
};

// Reads the file's bytes. Throws Error (bad_tokenizer) if they are not such a message, or name ids
// that no piece has.
[[nodiscard]] SentencePieceModel parse_sentencepiece_model(std::string_view bytes,
                                                           std::string_view source);

}  // namespace onnxpress
