// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/regex.h"

namespace onnxpress {

// GPT-2's way to make any bytes a text of visible characters: every byte becomes one code point;
// printable ASCII and Latin-1 stay themselves, the others move to U+0100 and up (space: "Ġ").
[[nodiscard]] std::string byte_characters(std::string_view bytes);

// The parts GPT-2 cuts a text into before merging, without a regular expression engine:
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
[[nodiscard]] std::vector<Span> gpt2_words(std::string_view text);

}  // namespace onnxpress
