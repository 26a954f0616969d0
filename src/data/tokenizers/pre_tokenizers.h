// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace onnxpress {

// A part of a text on its way to the token model.
struct Word {
  std::string text;
  bool at_start = false;  // whether the whole text starts with it
};

// Cuts a word into smaller ones, which it appends.
using PreTokenizer = std::function<void(const Word&, std::vector<Word>&)>;

// At white space, which vanishes, and around every punctuation mark.
[[nodiscard]] PreTokenizer bert_pre_tokenizer();
// GPT-2's: words as gpt2_words cuts them, in byte characters.
[[nodiscard]] PreTokenizer byte_level_pre_tokenizer(bool add_prefix_space, bool use_regex);

// A "pre_tokenizer" of a tokenizer.json. Throws Error (bad_tokenizer) for a kind that is not known.
[[nodiscard]] PreTokenizer make_pre_tokenizer(const nlohmann::json& description);

}  // namespace onnxpress
