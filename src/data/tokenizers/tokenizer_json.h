// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "data/tokenizers/tokenizer.h"

namespace onnxpress {

// The tokenizer that a tokenizer.json (Hugging Face tokenizers, version 1.0) describes: models
// WordPiece, BPE, Unigram and WordLevel with their normalizers, pre-tokenizers, post-processors and
// added tokens. `source` is for messages. Throws Error (bad_tokenizer) naming what is not
// supported.
[[nodiscard]] std::unique_ptr<Tokenizer> make_json_tokenizer(const nlohmann::json& description,
                                                             const std::string& source);

}  // namespace onnxpress
