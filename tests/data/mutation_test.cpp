// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include "data/dataset.h"
#include "data/npz.h"
#include "data/tokenizers/tokenizer.h"
#include "onnxpress/error.h"
#include "support/shared.h"
#include "support/temporary_folder.h"

// Small files with bytes changed, cut out or doubled at random: each is read or refused with an
// Error; under the sanitizers nothing else may happen.
namespace onnxpress {
namespace {

constexpr int kRounds = 200;

std::string mutate(std::string bytes, std::mt19937& random) {
  for (auto changes = 1 + random() % 4; changes > 0 && !bytes.empty(); --changes) {
    const std::size_t at = random() % bytes.size();
    const std::size_t length = 1 + random() % 8;
    switch (random() % 5) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(random() % bytes.size(), length));
        break;
      default:
        bytes.resize(at);
    }
  }
  return bytes;
}

void try_mutations(const char* name, const std::string& original, int rounds,
                   const std::function<void(const std::filesystem::path&)>& read) {
  const test::TemporaryFolder folder;
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto path = folder.write(name, mutate(original, random));
    try {
      read(path);
    } catch (const Error& error) {
      ++refused;
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
    }
  }
  EXPECT_GT(refused, 0);
}

void use_tokenizer(const std::filesystem::path& path) {
  const auto tokenizer = load_tokenizer(path);
  static_cast<void>(tokenizer->encode("A fine film, isn't it? é中\xFF 12", "b", 12));
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Mutations, OfArchives) {
  const test::TemporaryFolder folder;
  write_npz(folder.path() / "a.npz",
            std::vector<NamedTensor>{{"input_ids", Tensor::of<std::int64_t>({2, 2}, {1, 2, 3, 4})},
                                     {"labels", Tensor::of<float>({2}, {0, 1})}});
  try_mutations("a.npz", content(folder.path() / "a.npz"), kRounds, [](const auto& path) {
    DataSpec spec;
    spec.path = path;
    static_cast<void>(load_dataset(spec).token_count());
  });
}

TEST(Mutations, OfTokenizerJson) {
  const std::string bpe = R"({"added_tokens":[{"id":3,"content":"<s>","lstrip":true}],
    "normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},
      {"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}]},
    "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits"},
      {"type":"Metaspace","replacement":"_"}]},
    "post_processor":{"type":"BertProcessing","sep":["<s>",3],"cls":["<s>",3]},
    "model":{"type":"BPE","vocab":{"a":0,"i":1,"ai":2},"merges":["a i"],"unk_token":"a"}})";
  try_mutations("tokenizer.json", bpe, kRounds, use_tokenizer);
  const std::string unigram = R"({"normalizer":{"type":"Precompiled",
      "precompiled_charsmap":"CAAAAAAEAAABAAAAYQA="},
    "model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1.5],["fi",-2]]}})";
  try_mutations("tokenizer.json", unigram, kRounds, use_tokenizer);
}

TEST(Mutations, OfVocabularies) {
  try_mutations("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\nfilm\n", kRounds, use_tokenizer);
  try_mutations("vocab.json", R"({"<unk>": 0, "a": 1, "f": 2, " ": 3, "\u00e9": 4})", kRounds,
                use_tokenizer);
}

TEST(Mutations, OfTables) {
  const test::TemporaryFolder folder;
  DataSpec spec;
  spec.tokenizer = folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n");
  const auto read = [&spec](const auto& path) {
    spec.path = path;
    static_cast<void>(load_dataset(spec));
  };
  try_mutations("a.csv", "sentence,label\n\"a, \"\"b\"\"\",1\nc,0\n", kRounds, read);
  try_mutations("a.tsv", "sentence\tlabel\na b\t1\nc\t0\n", kRounds, read);
  try_mutations("a.jsonl", "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\", \"label\": 0}\n",
                1000, read);
}

TEST(Mutations, OfTheCharsmapOfT5) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const std::string whole = content(shared / "data/tokenizers/t5-small/tokenizer.json");
  const std::size_t start = whole.find("\"precompiled_charsmap\"");
  const std::size_t quote = whole.find('"', whole.find(':', start)) + 1;
  const std::string map = whole.substr(quote, whole.find('"', quote) - quote);
  std::mt19937 random(1);
  const test::TemporaryFolder folder;
  for (int round = 0; round < 20; ++round) {
    std::string changed = map;
    for (int i = 0; i < 2000; ++i)
      changed[random() % changed.size()] = "ABCD/+xyz0189"[random() % 13];
    const auto path =
        folder.write("tokenizer.json",
                     R"({"normalizer":{"type":"Precompiled","precompiled_charsmap":")" + changed +
                         R"("},"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0]]}})");
    try {
      const auto tokenizer = load_tokenizer(path);
      for (int i = 0; i < 200; ++i) {
        std::string text;
        for (int k = 0; k < 30; ++k) text += static_cast<char>(random());
        static_cast<void>(tokenizer->encode(text));
      }
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace onnxpress
