// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace onnxpress {

struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> type_ids;  // one for each id
};

// How special tokens frame a text or a pair of texts: [CLS] A [SEP] B [SEP] and its relatives.
struct FramePiece {
  enum class Kind { first, second, special } kind = Kind::first;
  std::vector<std::int32_t> ids;  // of a special piece
  std::uint8_t type_id = 0;
};
struct Frame {
  std::vector<FramePiece> single = {{FramePiece::Kind::first, {}, 0}};
  std::vector<FramePiece> pair = {{FramePiece::Kind::first, {}, 0},
                                  {FramePiece::Kind::second, {}, 1}};
};

// Turns text into the token ids a model was trained with. Immutable, so usable from many threads.
// Bytes that are not UTF-8 count as U+FFFD.
//
//   auto tokenizer = load_tokenizer("vocab.txt");
//   tokenizer->encode("a fine film").ids;   // {101, 1037, 2986, 2143, 102}
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The text's tokens without special ones around it.
  [[nodiscard]] virtual std::vector<std::int32_t> tokenize(std::string_view text) const = 0;

  // With special tokens. If `max_length` is not 0 the text is cut so that no more than so many
  // tokens come out; of a pair, the longer text is cut first. Special tokens are never cut.
  [[nodiscard]] Encoding encode(std::string_view text, std::size_t max_length = 0) const;
  [[nodiscard]] Encoding encode(std::string_view first, std::string_view second,
                                std::size_t max_length = 0) const;

  // Ids are below this.
  [[nodiscard]] std::int32_t vocabulary_size() const { return vocabulary_size_; }
  [[nodiscard]] std::int32_t pad_id() const { return pad_id_; }  // 0 where the vocabulary has none
  // The limit that the tokenizer's own file states.
  [[nodiscard]] std::optional<std::size_t> max_length() const { return max_length_; }

 protected:
  Tokenizer() = default;
  Tokenizer(const Tokenizer&) = default;
  Tokenizer& operator=(const Tokenizer&) = default;

  Frame frame_;
  std::int32_t vocabulary_size_ = 0;
  std::int32_t pad_id_ = 0;
  std::optional<std::size_t> max_length_;
};

struct TokenizerOptions {
  std::optional<bool> cased;  // for vocab.txt; nothing: what tokenizer_config.json beside it says,
                              // or lower-cased
};

// Opens a tokenizer by what its file is: vocab.txt (WordPiece), tokenizer.json, vocab.json with
// merges.txt beside it (byte-level BPE) or alone (characters), .model (SentencePiece); or a folder
// that holds one. Throws Error (bad_tokenizer) and those of opening a file.
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path,
                                                        const TokenizerOptions& options = {});

}  // namespace onnxpress
