// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "data/tokenizers/tokenizer.h"

// Tokenizers whose file is a plain list of tokens. `path` is for messages and for files beside it.
// All throw Error (bad_tokenizer).
namespace onnxpress {

// vocab.txt: one WordPiece token a line; [UNK] must be one of them.
[[nodiscard]] std::unique_ptr<Tokenizer> make_bert_tokenizer(std::string_view text,
                                                             const std::filesystem::path& path,
                                                             bool cased);

// vocab.json and the text of merges.txt: byte-level BPE as GPT-2's; framed as RoBERTa does where
// the vocabulary has its special tokens. These two files don't say which tokens are special, so
// "<|endoftext|>" in a text is text.
[[nodiscard]] std::unique_ptr<Tokenizer> make_gpt2_tokenizer(const nlohmann::json& vocabulary,
                                                             std::string_view merges,
                                                             const std::filesystem::path& path);

// vocab.json alone: a character an id. A character that is not in it becomes <unk> or [UNK];
// without such a token, tokenize throws Error (tokenizer_mismatch).
[[nodiscard]] std::unique_ptr<Tokenizer> make_character_tokenizer(
    const nlohmann::json& vocabulary, const std::filesystem::path& path);

}  // namespace onnxpress
