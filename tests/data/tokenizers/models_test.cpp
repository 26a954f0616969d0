// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "../expect_error.h"
#include "data/tokenizers/bpe.h"
#include "data/tokenizers/unigram.h"
#include "data/tokenizers/wordpiece.h"

namespace onnxpress {
namespace {

using test::expect_error;
using testing::ElementsAre;
using Ids = std::vector<std::int32_t>;
using Merges = std::vector<std::pair<std::string, std::string>>;

Vocabulary vocabulary(std::initializer_list<const char*> tokens) {
  Vocabulary result;
  for (const char* token : tokens) result.add(token, result.size());
  return result;
}

Ids tokenize(const TokenModel& model, std::string_view word) {
  Ids ids;
  model.tokenize(word, ids);
  return ids;
}

TEST(WordPiece, TakesTheLongestTokenEachTime) {
  const auto model = make_wordpiece(
      vocabulary({"[UNK]", "un", "una", "##ff", "##aff", "##able", "##a", "##b"}), {});
  EXPECT_THAT(tokenize(*model, "unaffable"), ElementsAre(2, 3, 5));
  EXPECT_THAT(tokenize(*model, "unaffx"), ElementsAre(0));
  EXPECT_THAT(tokenize(*model, ""), ElementsAre());
}

TEST(WordPiece, TakesLongWordsForUnknown) {
  const auto model =
      make_wordpiece(vocabulary({"[UNK]", "é", "##é"}), {.unknown_id = 0, .max_characters = 3});
  EXPECT_THAT(tokenize(*model, "ééé"), ElementsAre(1, 2, 2));
  EXPECT_THAT(tokenize(*model, "éééé"), ElementsAre(0));
}

TEST(WordLevel, LooksTheWholeWordUp) {
  EXPECT_THAT(tokenize(*make_word_level(vocabulary({"?", "ab"}), 0), "ab"), ElementsAre(1));
  EXPECT_THAT(tokenize(*make_word_level(vocabulary({"?", "ab"}), 0), "a"), ElementsAre(0));
  EXPECT_THAT(tokenize(*make_word_level(vocabulary({"?", "ab"}), -1), "a"), ElementsAre());
}

TEST(Bpe, MergesByRankThenPosition) {
  const Merges merges = {{"b", "c"}, {"a", "b"}, {"a", "bc"}, {"a", "a"}};
  const auto model = make_bpe(vocabulary({"a", "b", "c", "bc", "ab", "abc", "aa"}), merges, {});
  EXPECT_THAT(tokenize(*model, "abc"), ElementsAre(5));
  EXPECT_THAT(tokenize(*model, "abab"), ElementsAre(4, 4));
  EXPECT_THAT(tokenize(*model, "aaa"), ElementsAre(6, 0));
  EXPECT_THAT(tokenize(*model, "axb"), ElementsAre(4));  // what has no token vanishes
}

TEST(Bpe, FallsBackToBytesOrTheUnknownToken) {
  Vocabulary bytes = vocabulary({"<unk>", "a"});
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    static_cast<void>(std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte)));
    bytes.add(name, bytes.size());
  }
  const auto fallback = make_bpe(bytes, Merges{}, {.unknown_id = 0, .byte_fallback = true});
  EXPECT_THAT(tokenize(*fallback, "aé"), ElementsAre(1, 2 + 0xC3, 2 + 0xA9));
  const auto each = make_bpe(vocabulary({"<unk>", "a"}), Merges{}, {.unknown_id = 0});
  EXPECT_THAT(tokenize(*each, "xya"), ElementsAre(0, 0, 1));
  const auto fused =
      make_bpe(vocabulary({"<unk>", "a"}), Merges{}, {.unknown_id = 0, .fuse_unknown = true});
  EXPECT_THAT(tokenize(*fused, "xyax"), ElementsAre(0, 1, 0));
}

TEST(Bpe, MarksContinuationsAndEnds) {
  const auto model = make_bpe(vocabulary({"a", "##b", "##c</w>", "##bc</w>", "abc</w>", "a</w>"}),
                              Merges{{"##b", "##c</w>"}, {"a", "##bc</w>"}},
                              {.continuation = "##", .word_end = "</w>"});
  EXPECT_THAT(tokenize(*model, "abc"), ElementsAre(4));
  EXPECT_THAT(tokenize(*model, "a"), ElementsAre(5));
}

TEST(Bpe, NamesAMergeThatIsNotInTheVocabulary) {
  expect_error(codes::bad_tokenizer, "merge 1 needs the token \"ab\"", [] {
    static_cast<void>(make_bpe(vocabulary({"a", "b"}), Merges{{"a", "b"}}, {}));
  });
}

// n log n: a quadratic algorithm would take minutes for a word this long.
TEST(Bpe, IsQuickOnAVeryLongWord) {
  Vocabulary tokens;
  Merges merges;
  std::string token = "a";
  tokens.add(token, 0);
  for (int i = 1; i < 10; ++i) {
    merges.emplace_back(token, token);
    token += token;
    tokens.add(token, i);
  }
  const auto model = make_bpe(tokens, merges, {});
  const auto start = std::chrono::steady_clock::now();
  const Ids ids = tokenize(*model, std::string(512 * 1024, 'a'));
  EXPECT_EQ(ids, Ids(1024, 9));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Unigram, FindsTheBestCut) {
  const auto model =
      make_unigram({{"<unk>", 0}, {"a", -1}, {"b", -2}, {"ab", -2.5}, {"abb", -6}}, 0, false);
  EXPECT_THAT(tokenize(*model, "abb"), ElementsAre(3, 2));      // -4.5 beats -5 and -6
  EXPECT_THAT(tokenize(*model, "axyb"), ElementsAre(1, 0, 2));  // unknown neighbours are one
}

TEST(Unigram, RefusesWhatCannotBe) {
  expect_error(codes::bad_tokenizer, "unk_id is 7, but there are 1 pieces", [] {
    static_cast<void>(make_unigram({{"a", -1}}, 7, false));
  });
  expect_error(codes::bad_tokenizer, "not a finite number", [] {
    static_cast<void>(make_unigram({{"a", std::numeric_limits<double>::quiet_NaN()}}, 0, false));
  });
  const auto model = make_unigram({{"a", -1}}, std::nullopt, false);
  expect_error(codes::bad_tokenizer, "\"x\" has no token",
               [&] { static_cast<void>(tokenize(*model, "x")); });
}

}  // namespace
}  // namespace onnxpress
