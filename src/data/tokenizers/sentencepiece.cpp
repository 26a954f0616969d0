// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/sentencepiece.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/error_codes.h"
#include "data/tokenizers/charsmap.h"
#include "data/tokenizers/prefix_index.h"
#include "data/tokenizers/scored_bpe.h"
#include "data/tokenizers/sentencepiece_model.h"
#include "data/tokenizers/unigram.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

using Kind = FramePiece::Kind;
using PieceType = SentencePieceModel::PieceType;

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, which stands for a blank

// SentencePiece's normalization: replacements by longest match, blanks made visible.
class SpaceNormalizer {
 public:
  explicit SpaceNormalizer(const SentencePieceModel& model)
      : space_(model.escape_whitespaces ? kSpace : " "),
        dummy_(model.add_dummy_prefix),
        trim_(model.remove_extra_whitespaces),
        suffix_(model.whitespace_as_suffix) {
    if (!model.charsmap.empty()) map_.emplace(model.charsmap);
    std::vector<std::pair<std::string, std::int32_t>> kept;
    for (const auto& piece : model.pieces) {
      if (piece.type == PieceType::user_defined) kept.emplace_back(piece.text, 0);
    }
    kept_ = PrefixIndex(std::move(kept));
  }

  [[nodiscard]] std::string apply(std::string_view text) const {
    while (trim_ && !text.empty()) {
      const auto [size, replacement] = first(text);
      if (replacement != " ") break;
      text.remove_prefix(size);
    }
    std::string result;
    if (text.empty()) return result;
    if (dummy_ && !suffix_) result += space_;
    bool after_space = trim_;
    while (!text.empty()) {
      auto [size, replacement] = first(text);
      text.remove_prefix(size);
      while (after_space && replacement.starts_with(' ')) replacement.remove_prefix(1);
      if (replacement.empty()) continue;
      for (const char c : replacement) {
        if (c == ' ') {
          result += space_;
        } else {
          result += c;
        }
      }
      after_space = trim_ && replacement.ends_with(' ');
    }
    while (trim_ && result.ends_with(space_)) result.resize(result.size() - space_.size());
    if (dummy_ && suffix_) result += space_;
    return unicode::is_valid_utf8(result) ? result : unicode::valid_utf8(result);
  }

 private:
  // The bytes at the start of a text that are replaced together, and by what.
  [[nodiscard]] std::pair<std::size_t, std::string_view> first(std::string_view text) const {
    if (const auto kept = kept_.longest(text); kept.length > 0) {
      return {kept.length, text.substr(0, kept.length)};
    }
    if (map_) {
      if (const auto found = map_->longest(text)) return {found->length, found->replacement};
    }
    const std::size_t bytes = unicode::first(text).bytes;
    return {bytes, text.substr(0, bytes)};
  }

  std::optional<Charsmap> map_;
  PrefixIndex kept_;  // user-defined pieces stay as they are
  std::string_view space_;
  bool dummy_;
  bool trim_;
  bool suffix_;
};

std::unique_ptr<TokenModel> make_model(const SentencePieceModel& model) {
  if (model.kind == SentencePieceModel::Kind::bpe) return make_scored_bpe(model);
  if (model.kind == SentencePieceModel::Kind::unigram) return make_unigram(model);
  throw Error(codes::bad_tokenizer,
              "SentencePiece models of words or characters are not supported");
}

class SentencePiece final : public Tokenizer {
 public:
  explicit SentencePiece(const SentencePieceModel& model)
      : normalizer_(model), model_(make_model(model)) {
    vocabulary_size_ = static_cast<std::int32_t>(model.pieces.size());
    pad_id_ = std::max(model.pad_id, 0);
    const auto piece = [](std::int32_t id, std::uint8_t type_id) {
      return FramePiece{Kind::special, {id}, type_id};
    };
    const auto find = [&](std::string_view text) {
      const auto found = std::ranges::find(model.pieces, text, &SentencePieceModel::Piece::text);
      return found == model.pieces.end() ? -1
                                         : static_cast<std::int32_t>(found - model.pieces.begin());
    };
    const FramePiece first{Kind::first, {}, 0};
    const FramePiece second{Kind::second, {}, 1};
    const std::int32_t start = find("[CLS]");
    const std::int32_t separator = find("[SEP]");
    if (start >= 0 && separator >= 0) {
      frame_.single = {piece(start, 0), first, piece(separator, 0)};
      frame_.pair = {piece(start, 0), first, piece(separator, 0), second, piece(separator, 1)};
    } else if (model.bos_id >= 0) {
      frame_.single = {piece(model.bos_id, 0), first};
      frame_.pair = {piece(model.bos_id, 0), first, piece(model.bos_id, 1), second};
    } else if (model.eos_id >= 0) {
      frame_.single = {first, piece(model.eos_id, 0)};
      frame_.pair = {first, piece(model.eos_id, 0), {Kind::second, {}, 0}, piece(model.eos_id, 0)};
    }
  }

  [[nodiscard]] std::vector<std::int32_t> tokenize(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    model_->tokenize(normalizer_.apply(unicode::valid_utf8(text)), ids);
    return ids;
  }

 private:
  SpaceNormalizer normalizer_;
  std::unique_ptr<TokenModel> model_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(std::string_view bytes,
                                                        std::string_view source) {
  const SentencePieceModel model = parse_sentencepiece_model(bytes, source);
  try {
    return std::make_unique<SentencePiece>(model);
  } catch (const Error& error) {
    throw error.in(source);
  }
}

}  // namespace onnxpress
