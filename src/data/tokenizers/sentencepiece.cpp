// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/sentencepiece.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include <string>

#include "base/error_codes.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

using Kind = FramePiece::Kind;

class SentencePiece final : public Tokenizer {
 public:
  SentencePiece(std::string_view bytes, std::string_view source) : source_(source) {
    const auto status = processor_.LoadFromSerializedProto(bytes);
    if (!status.ok() || processor_.GetPieceSize() == 0) {
      throw Error(codes::bad_tokenizer, fmt::format("{}: is not a SentencePiece model", source));
    }
    vocabulary_size_ = processor_.GetPieceSize();
    pad_id_ = std::max(processor_.pad_id(), 0);
    const auto piece = [](std::int32_t id, std::uint8_t type_id) {
      return FramePiece{Kind::special, {id}, type_id};
    };
    const FramePiece first{Kind::first, {}, 0};
    const int start = processor_.PieceToId("[CLS]");
    const int separator = processor_.PieceToId("[SEP]");
    if (start != processor_.unk_id() && separator != processor_.unk_id()) {
      frame_.single = {piece(start, 0), first, piece(separator, 0)};
      frame_.pair = {
          piece(start, 0), first, piece(separator, 0), {Kind::second, {}, 1}, piece(separator, 1)};
    } else if (const int bos = processor_.bos_id(); bos >= 0) {
      frame_.single = {piece(bos, 0), first};
      frame_.pair = {piece(bos, 0), first, piece(bos, 1), {Kind::second, {}, 1}};
    } else if (const int eos = processor_.eos_id(); eos >= 0) {
      frame_.single = {first, piece(eos, 0)};
      frame_.pair = {first, piece(eos, 0), {Kind::second, {}, 0}, piece(eos, 0)};
    }
  }

  [[nodiscard]] std::vector<std::int32_t> tokenize(std::string_view text) const override {
    std::vector<int> ids;
    const auto status = unicode::is_valid_utf8(text)
                            ? processor_.Encode(text, &ids)
                            : processor_.Encode(unicode::valid_utf8(text), &ids);
    if (!status.ok()) {
      throw Error(codes::bad_tokenizer,
                  fmt::format("{}: a text can't be tokenized: {}", source_, status.ToString()));
    }
    return ids;
  }

 private:
  sentencepiece::SentencePieceProcessor processor_;
  std::string source_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(std::string_view bytes,
                                                        std::string_view source) {
  return std::make_unique<SentencePiece>(bytes, source);
}

}  // namespace onnxpress
