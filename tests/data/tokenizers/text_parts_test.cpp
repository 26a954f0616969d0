// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "../expect_error.h"
#include "data/tokenizers/added_tokens.h"
#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/charsmap.h"
#include "data/tokenizers/normalizers.h"
#include "data/tokenizers/pre_tokenizers.h"
#include "data/tokenizers/split.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

using nlohmann::json;
using test::expect_error;
using testing::ElementsAre;
using testing::Pair;

std::string normalize(const json& description, std::string_view text) {
  return make_normalizer(description)(text);
}

std::vector<std::string> words(const PreTokenizer& pre_tokenizer, const std::string& text) {
  std::vector<Word> parts;
  pre_tokenizer({text, true}, parts);
  std::vector<std::string> texts;
  for (const Word& part : parts) texts.push_back(part.text);
  return texts;
}

TEST(Unicode, ReplacesIllFormedSequencesAsPythonDoes) {
  EXPECT_EQ(unicode::valid_utf8("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(unicode::valid_utf8("\xE2\x82"), "\uFFFD");                  // cut off: one
  EXPECT_EQ(unicode::valid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate: each byte
  EXPECT_EQ(unicode::valid_utf8("\xF0\x9F\x98x"), "\uFFFDx");
  EXPECT_EQ(unicode::valid_utf8("\xC0\xAF"), "\uFFFD\uFFFD");  // overlong
  EXPECT_TRUE(unicode::is_valid_utf8("é\uFFFD😀"));
  EXPECT_FALSE(unicode::is_valid_utf8("\x80"));
}

TEST(Normalizers, DoWhatTheirNamesSay) {
  EXPECT_EQ(normalize({{"type", "Lowercase"}}, "ÀİΣ"), "ài\u0307σ");
  EXPECT_EQ(normalize({{"type", "NFKC"}}, "ﬁ①"), "fi1");
  EXPECT_EQ(normalize({{"type", "NFD"}}, "é"), "e\u0301");
  EXPECT_EQ(normalize({{"type", "StripAccents"}}, "e\u0301"), "e");
  EXPECT_EQ(normalize({{"type", "Strip"}, {"strip_left", true}, {"strip_right", false}}, " a "),
            "a ");
  EXPECT_EQ(normalize({{"type", "Strip"}}, " \u3000 "), "");
  EXPECT_EQ(normalize({{"type", "Prepend"}, {"prepend", "_"}}, "a"), "_a");
  EXPECT_EQ(normalize({{"type", "Prepend"}, {"prepend", "_"}}, ""), "");
  EXPECT_EQ(
      normalize({{"type", "Replace"}, {"pattern", {{"String", "aa"}}}, {"content", "a"}}, "aaaaa"),
      "aaa");
  EXPECT_EQ(normalize({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", "_"}},
                      "a  b c   "),
            "a_b c_");
  EXPECT_EQ(normalize(json::parse(R"({"type": "Sequence", "normalizers": [
                {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]})"),
                      "É"),
            "e");
  EXPECT_EQ(normalize({{"type", "BertNormalizer"}}, "\tÉ\x01中\u00A0x"), " e 中  x");
  EXPECT_EQ(normalize({{"type", "BertNormalizer"}, {"lowercase", false}}, "É"), "É");
}

TEST(Normalizers, NameWhatIsNotSupported) {
  expect_error(codes::bad_tokenizer, "normalizer \"Shout\"", [] {
    static_cast<void>(make_normalizer({{"type", "Shout"}}));
  });
  expect_error(codes::bad_tokenizer, "charsmap is cut off", [] {
    static_cast<void>(
        make_normalizer({{"type", "Precompiled"}, {"precompiled_charsmap", "/////w=="}}));
  });
  expect_error(codes::bad_tokenizer, "regular expression \"(\"", [] {
    static_cast<void>(
        make_normalizer({{"type", "Replace"}, {"pattern", {{"Regex", "("}}}, {"content", ""}}));
  });
}

TEST(PreTokenizers, CutAsTheirNamesSay) {
  const auto cut = [](const json& description, const std::string& text) {
    return words(make_pre_tokenizer(description), text);
  };
  EXPECT_THAT(cut({{"type", "BertPreTokenizer"}}, " a-b \u3000c。"),
              ElementsAre("a", "-", "b", "c", "。"));
  EXPECT_THAT(cut({{"type", "Whitespace"}}, "it's  a_b!?"),
              ElementsAre("it", "'", "s", "a_b", "!?"));
  EXPECT_THAT(cut({{"type", "Digits"}, {"individual_digits", true}}, "a12"),
              ElementsAre("a", "1", "2"));
  EXPECT_THAT(cut({{"type", "Digits"}}, "a12b"), ElementsAre("a", "12", "b"));
  EXPECT_THAT(cut({{"type", "Metaspace"}, {"replacement", "_"}}, "a b "),
              ElementsAre("_a", "_b", "_"));
  EXPECT_THAT(cut({{"type", "Metaspace"}, {"replacement", "_"}, {"split", false}}, "a b"),
              ElementsAre("_a_b"));
  EXPECT_THAT(
      cut({{"type", "Metaspace"}, {"replacement", "_"}, {"add_prefix_space", false}}, "a b"),
      ElementsAre("a", "_b"));
  EXPECT_THAT(cut({{"type", "FixedLength"}, {"length", 2}}, "éàüab"), ElementsAre("éà", "üa", "b"));
  EXPECT_THAT(cut({{"type", "CharDelimiterSplit"}, {"delimiter", "|"}}, "a||b|"),
              ElementsAre("a", "b"));
  EXPECT_THAT(cut({{"type", "ByteLevel"}, {"add_prefix_space", true}}, "a é"),
              ElementsAre("Ġa", "ĠÃ©"));
  expect_error(codes::bad_tokenizer, "pre-tokenizer \"Guess\"", [&] {
    static_cast<void>(cut({{"type", "Guess"}}, ""));
  });
}

TEST(Split, KnowsWhatBecomesOfMatches) {
  const auto parts = [](SplitBehavior behavior, bool invert = false) {
    std::vector<std::string> texts;
    const std::string text = "a--b-c";
    for (const auto& [begin, end] : split(text, match_text("-"), behavior, invert)) {
      texts.push_back(text.substr(begin, end - begin));
    }
    return texts;
  };
  EXPECT_THAT(parts(SplitBehavior::removed), ElementsAre("a", "b", "c"));
  EXPECT_THAT(parts(SplitBehavior::removed, true), ElementsAre("-", "-", "-"));
  EXPECT_THAT(parts(SplitBehavior::isolated), ElementsAre("a", "-", "-", "b", "-", "c"));
  EXPECT_THAT(parts(SplitBehavior::contiguous), ElementsAre("a", "--", "b", "-", "c"));
  EXPECT_THAT(parts(SplitBehavior::merged_with_previous), ElementsAre("a-", "-", "b-", "c"));
  EXPECT_THAT(parts(SplitBehavior::merged_with_next), ElementsAre("a", "-", "-b", "-c"));
}

TEST(ByteLevel, CutsAsGpt2) {
  const auto cut = [](std::string_view text) {
    std::vector<std::string> result;
    for (const auto& [begin, end] : gpt2_words(text)) {
      result.emplace_back(text.substr(begin, end - begin));
    }
    return result;
  };
  EXPECT_THAT(cut("I'll  don't 12x, 'S"),
              ElementsAre("I", "'ll", " ", " don", "'t", " 12", "x", ",", " '", "S"));
  EXPECT_THAT(cut("a \n b\n"), ElementsAre("a", " \n", " b", "\n"));
  EXPECT_THAT(cut("  "), ElementsAre("  "));
  EXPECT_THAT(cut("\tx ½…"), ElementsAre("\t", "x", " ½", "…"));
  EXPECT_EQ(byte_characters(std::string_view("\0 A\xAD", 4)), "ĀĠAŃ");
}

TEST(AddedTokens, AreFoundFromTheLeftLongestFirst) {
  const auto cut = [](const std::vector<AddedToken>& tokens, std::string_view text) {
    std::vector<std::pair<std::string, std::int32_t>> parts;
    for (const auto& part : AddedTokens(tokens).split(text)) {
      parts.emplace_back(part.text, part.id);
    }
    return parts;
  };
  EXPECT_THAT(cut({{.content = "<a", .id = 1}, {.content = "<a>", .id = 2}}, "x<a><a"),
              ElementsAre(Pair("x", -1), Pair("<a>", 2), Pair("<a", 1)));
  EXPECT_THAT(
      cut({{.content = "<m>", .id = 1, .strip_left = true, .strip_right = true}}, "a  <m>\u3000b"),
      ElementsAre(Pair("a", -1), Pair("  <m>\u3000", 1), Pair("b", -1)));
  EXPECT_THAT(cut({{.content = "the", .id = 1, .single_word = true}}, "the other the"),
              ElementsAre(Pair("the", 1), Pair(" other ", -1), Pair("the", 1)));
  EXPECT_THAT(cut({{.content = "x", .id = 1}}, ""), ElementsAre(Pair("", -1)));
}

TEST(Charsmap, ReadsBase64Only) {
  EXPECT_EQ(decode_base64("aGVsbG8="), "hello");
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("a b"), std::nullopt);
}

}  // namespace
}  // namespace onnxpress
