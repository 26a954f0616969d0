// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "data/tokenizers/tokenizer.h"

namespace onnxpress {

// A SentencePiece model (.model). Text is framed by what the model defines: the start token before
// it (Llama), without one the end token behind it (T5), [CLS] and [SEP] around it (ALBERT).
// Throws Error (bad_tokenizer).
[[nodiscard]] std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(std::string_view bytes,
                                                                      std::string_view source);

}  // namespace onnxpress
