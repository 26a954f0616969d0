// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/sentencepiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <initializer_list>

#include "../expect_error.h"
#include "data/tokenizers/sentencepiece_model.h"

namespace onnxpress {
namespace {

using test::expect_error;
using testing::ElementsAre;

// --- protobuf by hand; lengths and numbers are below 128 or negative
std::string varint(int field, std::int64_t value) {
  std::string bytes;
  bytes += static_cast<char>(field << 3 & 0x7F);
  if (field >= 16)
    bytes = {static_cast<char>((field << 3 & 0x7F) | 0x80), static_cast<char>(field >> 4)};
  auto rest = static_cast<std::uint64_t>(value);
  for (; rest >= 0x80; rest >>= 7U) bytes += static_cast<char>((rest & 0x7FU) | 0x80U);
  return bytes + static_cast<char>(rest);
}
std::string text(int field, const std::string& content) {
  return std::string{static_cast<char>(field << 3 | 2), static_cast<char>(content.size())} +
         content;
}
std::string piece(const std::string& name, float score, int type = 1) {
  const auto bits = std::bit_cast<std::uint32_t>(score);
  std::string fixed;
  for (unsigned i = 0; i < 4; ++i) fixed += static_cast<char>(bits >> 8 * i);
  return text(1, text(1, name) + '\x15' + fixed + varint(3, type));
}

// Kinds: 1 unigram, 2 BPE. Types of pieces: 2 unknown, 3 control, 4 user-defined, 5 unused.
std::string model(int kind, const std::string& more = {}) {
  return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("▁", -3) +
         piece("a", -3) + piece("b", -3) + piece("ab", -1) + piece("▁ab", -2) + piece("<x>", 0, 4) +
         more + text(2, varint(3, kind));
}

std::vector<std::int32_t> ids(const std::string& bytes, std::string_view input) {
  return make_sentencepiece_tokenizer(bytes, "f.model")->encode(input).ids;
}

TEST(SentencePiece, JoinsByScoreFromTheLeft) {
  const std::string bpe = model(2);
  EXPECT_THAT(ids(bpe, "ab"), ElementsAre(1, 7));
  EXPECT_THAT(ids(bpe, "  ab  b "), ElementsAre(1, 7, 3, 5));  // blanks are trimmed and joined
  EXPECT_THAT(ids(bpe, "aab"), ElementsAre(1, 3, 4, 6));
  EXPECT_THAT(ids(bpe, "b<x>éüb"), ElementsAre(1, 3, 5, 8, 0, 5));
  EXPECT_THAT(ids(bpe, "<s>"), ElementsAre(1, 3, 0));  // a control piece is not found in text
  EXPECT_THAT(ids(bpe, " "), ElementsAre(1));
  EXPECT_THAT(ids(bpe, "a\xFF"), ElementsAre(1, 3, 4, 0));
}

TEST(SentencePiece, TakesTheMostLikelyPieces) {
  const std::string unigram = model(1);
  EXPECT_THAT(ids(unigram, "ab ab"), ElementsAre(1, 7, 7));
  EXPECT_THAT(ids(unigram, "a<x>zz"), ElementsAre(1, 3, 4, 8, 0));
}

TEST(SentencePiece, CutsUnusedPiecesAgain) {
  const std::string unused = model(2, piece("abb", 0, 5));
  EXPECT_THAT(ids(unused, "abb"), ElementsAre(1, 3, 6, 5));  // "ab" and "b" had become "abb"
  EXPECT_THAT(ids(model(2, piece("aa", 0, 5)), "aa"), ElementsAre(1, 3, 4, 4));
}

TEST(SentencePiece, FramesAsTheModelSays) {
  const auto framed = [](std::int64_t bos, std::int64_t eos) {
    return model(2, text(2, varint(41, bos) + varint(42, eos)));
  };
  EXPECT_THAT(ids(framed(-1, 2), "ab"), ElementsAre(7, 2));
  EXPECT_THAT(ids(framed(-1, -1), "ab"), ElementsAre(7));
}

TEST(SentencePiece, RefusesWhatIsMalformed) {
  const auto refuses = [](const std::string& message, const std::string& bytes) {
    expect_error(codes::bad_tokenizer, message,
                 [&] { static_cast<void>(make_sentencepiece_tokenizer(bytes, "f.model")); });
  };
  refuses("f.model: is not a SentencePiece model", "");
  refuses("is not a SentencePiece model", "plain text");
  refuses("is not a SentencePiece model", piece("", 0));
  refuses("is not a SentencePiece model", piece("a", std::numeric_limits<float>::infinity()));
  refuses("words or characters", model(4));
  refuses("beyond its 9 pieces", model(2, text(2, varint(41, 99))));
  refuses("charsmap is cut off", model(2, text(3, text(2, "abc"))));
  const std::string whole = model(2);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    try {  // cut between two fields it is a smaller model
      static_cast<void>(
          make_sentencepiece_tokenizer(whole.substr(0, size), "f.model")->encode("a"));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), codes::bad_tokenizer.id);
    }
  }
}

}  // namespace
}  // namespace onnxpress
