// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "../expect_error.h"
#include "data/model_folder.h"
#include "data/tokenizers/tokenizer.h"
#include "support/temporary_folder.h"

namespace onnxpress {
namespace {

using nlohmann::json;
using test::expect_error;
using test::TemporaryFolder;
using testing::ElementsAre;

json small_bpe() {
  return json::parse(R"({
    "added_tokens": [{"id": 4, "content": "<s>", "special": true},
                     {"id": 5, "content": "</s>", "special": true},
                     {"id": 6, "content": "<pad>", "special": true}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}},
               {"Sequence": {"id": "B", "type_id": 1}}],
      "special_tokens": {"<s>": {"ids": [4]}, "</s>": {"ids": [5]}}},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3}, "merges": ["a b"]}})");
}

std::unique_ptr<Tokenizer> load(const TemporaryFolder& folder, const json& description) {
  return load_tokenizer(folder.write("tokenizer.json", description.dump()));
}

TEST(LoadTokenizer, ReadsATokenizerJson) {
  const TemporaryFolder folder;
  const auto tokenizer = load(folder, small_bpe());
  EXPECT_THAT(tokenizer->encode("ab b<pad>").ids, ElementsAre(4, 2, 3, 1, 6, 5));
  EXPECT_THAT(tokenizer->encode("ab", "b").ids, ElementsAre(2, 5, 1));
  EXPECT_THAT(tokenizer->encode("ab", "b").type_ids, ElementsAre(0, 0, 1));
  EXPECT_THAT(tokenizer->encode("aaaa", 4).ids, ElementsAre(4, 0, 0, 5));
  EXPECT_THAT(tokenizer->tokenize("a"), ElementsAre(0));
  EXPECT_EQ(tokenizer->vocabulary_size(), 7);
  EXPECT_EQ(tokenizer->pad_id(), 6);
  EXPECT_FALSE(tokenizer->max_length().has_value());
}

TEST(LoadTokenizer, TakesMergesAsPairsAndTheStatedLimit) {
  const TemporaryFolder folder;
  json description = small_bpe();
  description["model"]["merges"] = json::array({json::array({"a", "b"})});
  description["truncation"] = {{"max_length", 5}};
  const auto tokenizer = load(folder, description);
  EXPECT_THAT(tokenizer->tokenize("ab"), ElementsAre(2));
  EXPECT_EQ(tokenizer->max_length(), 5U);
}

TEST(LoadTokenizer, CutsPairsEvenly) {
  const TemporaryFolder folder;
  const auto tokenizer = load(folder, small_bpe());
  const auto sizes = [&](int first, int second, std::size_t limit) {
    const auto encoding =
        tokenizer->encode(std::string(static_cast<std::size_t>(first), 'a'),
                          std::string(static_cast<std::size_t>(second), 'b'), limit);
    return std::pair{std::ranges::count(encoding.ids, 0), std::ranges::count(encoding.ids, 1)};
  };
  EXPECT_EQ(sizes(3, 2, 9), std::pair(3L, 2L));
  EXPECT_EQ(sizes(9, 2, 8), std::pair(5L, 2L));
  EXPECT_EQ(sizes(2, 9, 8), std::pair(2L, 5L));
  EXPECT_EQ(sizes(9, 9, 8), std::pair(3L, 4L));
  EXPECT_EQ(sizes(9, 8, 8), std::pair(4L, 3L));
}

TEST(LoadTokenizer, NamesWhatItDoesNotKnow) {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::string& message, const char* pointer, const json& value) {
    json description = small_bpe();
    description[json::json_pointer(pointer)] = value;
    expect_error(codes::bad_tokenizer, message,
                 [&] { static_cast<void>(load(folder, description)); });
  };
  refuses("model \"Oracle\" is not supported", "/model/type", "Oracle");
  refuses("normalizer \"Shout\"", "/normalizer", {{"type", "Shout"}});
  refuses("post-processor \"Wrap\"", "/post_processor", {{"type", "Wrap"}});
  refuses("\"</s>\" is not defined", "/post_processor/special_tokens", {{"<s>", {{"ids", {4}}}}});
  refuses("merge 1 is \"ab\"", "/model/merges/0", "ab");
  refuses("-1 can't be the id of a token", "/model/vocab/a", -1);
  refuses("\"vocab\" has to be an object", "/model/vocab", 7);
  refuses("\"merges\" has to be a list", "/model/merges", 7);
  refuses("is not a tokenizer as expected", "/added_tokens/0/content", 7);
}

TEST(LoadTokenizer, ReadsVocabularyAndMerges) {
  const TemporaryFolder folder;
  folder.write("merges.txt", "#version: 0.2\na b\n");
  const auto path = folder.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2, "Ġ": 3})");
  EXPECT_THAT(load_tokenizer(path)->encode("ab a").ids, ElementsAre(2, 3, 0));
  EXPECT_THAT(load_tokenizer(folder.path() / "merges.txt")->encode("ab").ids, ElementsAre(2));
  folder.write("merges.txt", "a b\na b c\n");
  expect_error(codes::bad_tokenizer, "merges.txt:2: a line of merges must be two tokens",
               [&] { static_cast<void>(load_tokenizer(path)); });
}

TEST(LoadTokenizer, ReadsCharacters) {
  const TemporaryFolder folder;
  const auto path = folder.write("vocab.json", R"({"é": 0, "\n": 1, "b": 2})");
  const auto tokenizer = load_tokenizer(path);
  EXPECT_THAT(tokenizer->encode("bé\n").ids, ElementsAre(2, 0, 1));
  expect_error(codes::tokenizer_mismatch, "\"x\" (U+0078) is not in the vocabulary",
               [&] { static_cast<void>(tokenizer->encode("bx")); });
  folder.write("vocab.json", R"({"<unk>": 5, "b": 2})");
  EXPECT_THAT(load_tokenizer(path)->encode("bx").ids, ElementsAre(2, 5));
  EXPECT_EQ(load_tokenizer(path)->vocabulary_size(), 6);
}

TEST(LoadTokenizer, KeepsCaseIfTold) {
  const TemporaryFolder folder;
  const auto path = folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\nA\na\nÉ\n");
  EXPECT_THAT(load_tokenizer(path)->encode("A É").ids, ElementsAre(1, 4, 0, 2));
  EXPECT_THAT(load_tokenizer(path, {.cased = true})->encode("A É").ids, ElementsAre(1, 3, 5, 2));
  folder.write("tokenizer_config.json", R"({"do_lower_case": false})");
  EXPECT_THAT(load_tokenizer(path)->encode("A É").ids, ElementsAre(1, 3, 5, 2));
  EXPECT_THAT(load_tokenizer(folder.path())->encode("[SEP]").ids, ElementsAre(1, 2, 2));
}

TEST(LoadTokenizer, RefusesOtherFiles) {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::string& message, const char* name, std::string_view content) {
    const auto path = folder.write(name, content);
    expect_error(codes::bad_tokenizer, message, [&] { static_cast<void>(load_tokenizer(path)); });
  };
  refuses("the file is empty", "a.txt", "");
  refuses("the file is empty", "a.json", "");
  refuses("is not text", "image.txt", "\x89PNG\r\n\x1a\n");
  refuses("[UNK] is not among these 2 lines", "prose.txt", "once upon\na time\n");
  refuses("not valid JSON at line 2", "b.json", "{\n\"a\": ,\n}");
  refuses("neither a tokenizer.json", "c.json", "{\"architectures\": [\"BertModel\"]}");
  refuses("neither a tokenizer.json", "d.json", "[1, 2]");
  refuses("neither a tokenizer.json", "e.json", "{}");
  refuses("the id of token \"a\"", "f.json", "{\"a\": -4}");
  refuses("the id of token \"a\"", "g.json", "{\"a\": 99999999999}");
  refuses("is not a SentencePiece model", "h.model", "no protobuf");
  refuses("nested more than 128 deep", "i.json", std::string(100000, '['));
  expect_error(codes::bad_tokenizer, "the folder has no tokenizer.json",
               [&] { static_cast<void>(load_tokenizer(folder.path())); });
  expect_error(codes::file_missing, "no such file",
               [&] { static_cast<void>(load_tokenizer(folder.path() / "none.txt")); });
}

TEST(ModelFolder, FindsModelTokenizerAndLimit) {
  const TemporaryFolder folder;
  const auto& root = folder.path();
  expect_error(codes::file_missing, "holds no .onnx file",
               [&] { static_cast<void>(find_model(root)); });
  EXPECT_FALSE(find_tokenizer(root).has_value());
  EXPECT_FALSE(find_max_length(root).has_value());
  const auto odd = folder.write("onnx/odd.onnx", "");
  EXPECT_EQ(find_model(root), odd);
  const auto usual = folder.write("onnx/model.onnx", "");
  EXPECT_EQ(find_model(root), usual);
  EXPECT_EQ(find_model(usual), usual);
  folder.write("vocab.txt", "");
  EXPECT_EQ(find_tokenizer(root), root / "vocab.txt");
  EXPECT_EQ(find_tokenizer(usual), root / "vocab.txt");
  folder.write("tokenizer.json", "");
  EXPECT_EQ(find_tokenizer(usual), root / "tokenizer.json");
  folder.write("tokenizer_config.json", "{\"model_max_length\": 1000000000000000019884624838656}");
  EXPECT_FALSE(find_max_length(root).has_value());
  folder.write("config.json", "{\"max_position_embeddings\": 512}");
  EXPECT_EQ(find_max_length(usual), 512U);
  folder.write("tokenizer_config.json", "{\"model_max_length\": 128}");
  EXPECT_EQ(find_max_length(root), 128U);
}

TEST(ModelFolder, AsksWhichOfSeveralModels) {
  const TemporaryFolder folder;
  folder.write("a.onnx", "");
  folder.write("b.onnx", "");
  expect_error(codes::file_missing, "holds 2 .onnx files (\"a.onnx\", \"b.onnx\", …)",
               [&] { static_cast<void>(find_model(folder.path())); });
}

}  // namespace
}  // namespace onnxpress
