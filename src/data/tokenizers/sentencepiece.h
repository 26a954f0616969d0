// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "data/tokenizers/tokenizer.h"

namespace onnxpress {

// A SentencePiece model (.model) of kind unigram or BPE, encoding as libsentencepiece does. (The
// library itself can't be linked: it exports the symbols of an old protobuf, which clash with those
// of the one that reads models.) Text is framed by what the model defines: the start token before
// it (Llama), without one the end token behind it (T5), [CLS] and [SEP] around it (ALBERT).
// Throws Error (bad_tokenizer).
[[nodiscard]] std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(std::string_view bytes,
                                                                      std::string_view source);

}  // namespace onnxpress
