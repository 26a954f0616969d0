// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/byte_level.h"

#include <algorithm>
#include <array>

#include "data/unicode.h"

namespace onnxpress {
namespace {

std::array<char32_t, 256> byte_table() {
  std::array<char32_t, 256> table{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    table[byte] = visible ? byte : next++;
  }
  return table;
}

enum class Class { letter, number, space, other };

Class class_of(char32_t c) {
  if (unicode::is_letter(c)) return Class::letter;
  if (unicode::is_number(c)) return Class::number;
  if (unicode::is_whitespace(c)) return Class::space;
  return Class::other;
}

// Bytes of the run of characters of one class at the start of a text, and of its last character.
struct Run {
  std::size_t bytes = 0;
  std::size_t last = 0;
};

Run run_of(Class wanted, std::string_view text) {
  Run run;
  while (run.bytes < text.size()) {
    const auto [c, bytes] = unicode::first(text.substr(run.bytes));
    if (class_of(c) != wanted) break;
    run.bytes += bytes;
    run.last = bytes;
  }
  return run;
}

std::size_t contraction(std::string_view text) {
  for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.starts_with(ending)) return ending.size();
  }
  return 0;
}

// Bytes of the first word of a text that is not empty.
std::size_t first_word(std::string_view text) {
  if (const std::size_t bytes = contraction(text)) return bytes;
  const std::size_t space = text.starts_with(' ') && text.size() > 1 ? 1 : 0;
  const Class kind = class_of(unicode::first(text.substr(space)).value);
  if (kind != Class::space) return space + run_of(kind, text.substr(space)).bytes;
  // Of white space before a word, the last character is left for the word's turn.
  const Run run = run_of(Class::space, text);
  return run.bytes == text.size() || run.bytes == run.last ? run.bytes : run.bytes - run.last;
}

}  // namespace

std::string byte_characters(std::string_view bytes) {
  static const std::array<char32_t, 256> kTable = byte_table();
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 4);
  for (const char byte : bytes) unicode::append(text, kTable[static_cast<unsigned char>(byte)]);
  return text;
}

std::vector<Span> gpt2_words(std::string_view text) {
  std::vector<Span> words;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = begin + first_word(text.substr(begin));
    words.push_back({begin, end});
    begin = end;
  }
  return words;
}

}  // namespace onnxpress
