// SPDX-License-Identifier: Apache-2.0
#include "passes/prune_vocabulary.h"

#include <gmock/gmock.h>

#include <fstream>

#include "model/builder.h"
#include "onnxpress/error.h"
#include "passes/run_pass.h"
#include "support/temporary_folder.h"

namespace onnxpress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kVocabulary =
    "[PAD]\n[unused1]\n[UNK]\n[CLS]\n[SEP]\nfilm\nthe\n##s\n##ly\nbad\na\n\xC3\xA9\n";

class PruneVocabulary : public testing::Test {
 protected:
  void SetUp() override {
    write("vocab.txt", kVocabulary);
    write("corpus.txt", "the film\r\nfilms");
  }
  void write(const char* name, const std::string& text) {
    std::ofstream(folder_.path() / name, std::ios::binary) << text;
  }
  std::string path(const char* name) { return (folder_.path() / name).string(); }
  OptionValues options(bool characters = true) {
    return {{"corpus", path("corpus.txt")},
            {"tokenizer", path("vocab.txt")},
            {"characters", characters}};
  }

  // logits = table[ids]·table.T or ·head.
  Model network(bool tied, bool compares_ids = false) {
    test::Builder b;
    const ValueId ids = b.ids();
    const ValueId table = b.tensor({12, 8});
    ValueId x = b.op("Gather", {table, ids});
    if (compares_ids) {
      const ValueId pad =
          b.op("Cast", {b.op("Equal", {ids, b.ints({0})})}, {{"to", std::int64_t{1}}});
      x = b.mul(x, b.op("Unsqueeze", {pad, b.ints({-1})}));
    }
    const ValueId weight = tied ? b.transpose(table, {1, 0}) : b.tensor({8, 12});
    const ValueId y = b.add(b.matmul(x, weight), b.tensor({12}));
    b.graph.set_type(y, DType::float32, Shape{{-1, "batch"}, {-1, "sequence"}, {12, ""}});
    b.output(y);
    Model model;
    model.ir_version = 8;
    model.opsets = {{"", 17}};
    model.graph = b.graph;
    return model;
  }

  std::string refusal(Model model, const OptionValues& values) {
    try {
      test::run_pass(model, "prune_vocabulary", values);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  test::TemporaryFolder folder_;
};

TEST_F(PruneVocabulary, KeepsTheCorpusSpecialTokensAndCharacters) {
  const VocabularyCut cut = cut_vocabulary(vocabulary_cut_options(options()));
  EXPECT_THAT(cut.kept, ElementsAre(0, 2, 3, 4, 5, 6, 7, 10, 11));
  EXPECT_EQ(cut.before, 12);
  EXPECT_EQ(cut.vocabulary, "[PAD]\n[UNK]\n[CLS]\n[SEP]\nfilm\nthe\n##s\na\n\xC3\xA9\n");
  EXPECT_THAT(cut_vocabulary(vocabulary_cut_options(options(false))).kept,
              ElementsAre(0, 2, 3, 4, 5, 6, 7));
}

TEST_F(PruneVocabulary, CutsTableAndHead) {
  const std::vector<std::int64_t> kept{0, 2, 3, 4, 5, 6, 7, 10, 11};
  const std::vector<std::int64_t> sentence{3, 6, 5, 7, 4, 0};  // in new ids: 2, 5, 4, 6, 3, 0
  for (const bool tied : {true, false}) {
    const Model original = network(tied);
    Model model = original;
    test::run_pass(model, "prune_vocabulary", options());
    const auto run = [](const Model& m, std::vector<std::int64_t> ids) {
      return test::run_model(m, {{"ids", Tensor::of<std::int64_t>({1, 6}, std::move(ids))}})
          .begin()
          ->second;
    };
    const auto before = run(original, sentence).to_doubles();
    const Tensor after = run(model, {2, 5, 4, 6, 3, 0});
    EXPECT_EQ(after.dims(), (Dims{1, 6, 9}));
    const auto logits = after.to_doubles();
    for (std::size_t row = 0; row < 6; ++row) {
      for (std::size_t k = 0; k < kept.size(); ++k) {
        EXPECT_NEAR(logits[row * 9 + k], before[row * 12 + static_cast<std::size_t>(kept[k])],
                    1e-6);
      }
    }
    EXPECT_EQ(model.graph.value(model.graph.outputs()[0]).shape->back().size, 9);
  }
}

TEST_F(PruneVocabulary, RefusesIdsThatAreCompared) {
  EXPECT_THAT(refusal(network(true, /*compares_ids=*/true), options()),
              HasSubstr("reads the ids of tokens as well"));
}

TEST_F(PruneVocabulary, RefusesWhatItCanNotDo) {
  OptionValues values = options();
  values.erase("corpus");
  EXPECT_THAT(refusal(network(true), values), HasSubstr("no corpus"));
  values = options();
  values.erase("tokenizer");
  EXPECT_THAT(refusal(network(true), values), HasSubstr("tokenizer is not known"));
  values = options();
  write("vocab.json", "{\"a\": 0, \"[UNK]\": 1}");
  values["tokenizer"] = path("vocab.json");
  EXPECT_THAT(refusal(network(true), values), HasSubstr("only a vocabulary of WordPiece"));
  write("short.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nfilm\n");
  values["tokenizer"] = path("short.txt");
  EXPECT_THAT(refusal(network(true), values), HasSubstr("has 12 rows, the vocabulary 5"));
  write("corpus.txt", " \n\n");
  EXPECT_THAT(refusal(network(true), options()), HasSubstr("holds no text"));
}

}  // namespace
}  // namespace onnxpress
