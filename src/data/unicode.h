// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Unicode as the tokenizers need it. Strings are UTF-8; functions that take code points or
// normalize expect valid UTF-8 (see valid_utf8).
namespace onnxpress::unicode {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;  // how many it takes in the text
};

// The code point at the start of a text that is not empty. Bytes that are not UTF-8 read as one
// U+FFFD for each maximal ill-formed sequence (Unicode 15, table 3-8), as Python's "replace" does.
[[nodiscard]] CodePoint first(std::string_view text);
void append(std::string& text, char32_t c);

// The text with U+FFFD in place of what is not UTF-8.
[[nodiscard]] std::string valid_utf8(std::string_view text);
[[nodiscard]] bool is_valid_utf8(std::string_view text);
[[nodiscard]] std::size_t length(std::string_view text);  // code points

[[nodiscard]] bool is_whitespace(char32_t c);       // White_Space
[[nodiscard]] bool is_letter(char32_t c);           // L
[[nodiscard]] bool is_number(char32_t c);           // N
[[nodiscard]] bool is_decimal_digit(char32_t c);    // Nd
[[nodiscard]] bool is_punctuation(char32_t c);      // P
[[nodiscard]] bool is_mark(char32_t c);             // M
[[nodiscard]] bool is_nonspacing_mark(char32_t c);  // Mn
[[nodiscard]] bool is_word(char32_t c);             // \w: L, M, Nd, Nl, Pc
[[nodiscard]] bool is_control(char32_t c);          // Cc, Cf, Co

// Simple lower-casing, except that U+0130 becomes two code points.
[[nodiscard]] std::string lower_case(std::string_view text);

enum class Form { nfc, nfd, nfkc, nfkd };
[[nodiscard]] std::string normalize(std::string_view text, Form form);

// Bytes of the first extended grapheme cluster (what a reader takes for one character).
[[nodiscard]] std::size_t first_grapheme(std::string_view text);

}  // namespace onnxpress::unicode
