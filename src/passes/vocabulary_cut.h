// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace onnxpress {

struct VocabularyCutOptions {
  std::filesystem::path corpus;     // text, a sample a line
  std::filesystem::path tokenizer;  // vocab.txt
  // Keep every piece of one character, so that all that could be written before still can.
  bool characters = true;
  std::optional<bool> cased{};  // as in TokenizerOptions
};

// Which tokens of a WordPiece vocabulary stay.
struct VocabularyCut {
  std::vector<std::int32_t> kept;  // old ids, ascending: the place in the list is the new id
  std::int32_t before = 0;         // tokens in the old vocabulary
  std::string vocabulary;          // the new vocab.txt
};

// Those of the corpus, special ones ("[CLS]"), and single characters. Corpus tokens are what the
// tokenizer makes of its lines, so that these lines are written with the same tokens afterwards:
// WordPiece takes the longest piece that there is, and no longer piece has come.
// Throws Error: unsupported_model (another kind of tokenizer), bad_tokenizer, empty_data, and those
// of opening a file.
[[nodiscard]] VocabularyCut cut_vocabulary(const VocabularyCutOptions& options);

}  // namespace onnxpress
