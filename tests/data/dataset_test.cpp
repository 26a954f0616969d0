// SPDX-License-Identifier: Apache-2.0
#include "data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "data/npz.h"
#include "expect_error.h"
#include "support/shared.h"
#include "support/temporary_folder.h"

namespace onnxpress {
namespace {

using test::expect_error;
using testing::ElementsAre;

constexpr const char* kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\ngood\nbad\nfilm\n##s\n";

DataSpec spec_of(const test::TemporaryFolder& folder, const char* name, std::string_view content) {
  DataSpec spec;
  spec.path = folder.write(name, content);
  spec.tokenizer = folder.write("vocab.txt", kVocabulary);
  return spec;
}

TEST(LoadDataset, ReadsTextAndLabels) {
  const test::TemporaryFolder folder;
  const auto data =
      load_dataset(spec_of(folder, "a.tsv", "sentence\tlabel\nGood films\t1\nbad day\t0\n"));
  ASSERT_EQ(data.size(), 2U);
  EXPECT_TRUE(data.is_text());
  EXPECT_THAT(data.texts()[0].ids, ElementsAre(2, 4, 6, 7, 3));
  EXPECT_THAT(data.texts()[1].ids, ElementsAre(2, 5, 1, 3));
  EXPECT_THAT(data.labels(), ElementsAre(1.0, 0.0));
  EXPECT_EQ(data.token_count(), 9);
  EXPECT_EQ(data.max_token_id(), 7);
  EXPECT_EQ(data.min_token_id(), 0);
  EXPECT_THAT(data.location(1), testing::EndsWith("a.tsv:3"));
}

TEST(LoadDataset, FramesPairsAndCutsTheLongerText) {
  const test::TemporaryFolder folder;
  auto spec =
      spec_of(folder, "a.jsonl",
              "{\"sentence1\": \"good good good\", \"sentence2\": \"bad\", \"score\": 2.5}");
  const auto whole = load_dataset(spec);
  EXPECT_THAT(whole.texts()[0].ids, ElementsAre(2, 4, 4, 4, 3, 5, 3));
  EXPECT_THAT(whole.texts()[0].type_ids, ElementsAre(0, 0, 0, 0, 0, 1, 1));
  EXPECT_THAT(whole.labels(), ElementsAre(2.5));
  spec.max_length = 6;
  EXPECT_THAT(load_dataset(spec).texts()[0].ids, ElementsAre(2, 4, 4, 3, 5, 3));
}

TEST(LoadDataset, CutsToTheModelsFixedLength) {
  const test::TemporaryFolder folder;
  const auto spec = spec_of(folder, "a.txt", "good good good good\n");
  const std::vector<InputSpec> inputs = {{"input_ids", DType::int64, {{-1, "b"}, {4, ""}}}};
  EXPECT_THAT(load_dataset(spec, inputs).texts()[0].ids, ElementsAre(2, 4, 4, 3));
}

TEST(LoadDataset, NamesWhatIsWrong) {
  const test::TemporaryFolder folder;
  expect_error(codes::bad_label, "a.tsv:3: the label \"maybe\" is not a number", [&] {
    static_cast<void>(load_dataset(spec_of(folder, "a.tsv", "text\tlabel\nx\t1\ny\tmaybe\n")));
  });
  expect_error(codes::bad_label, "\"nan\"", [&] {
    static_cast<void>(load_dataset(spec_of(folder, "a.tsv", "text\tlabel\nx\tnan\n")));
  });
  expect_error(codes::bad_label, "\"\"", [&] {
    static_cast<void>(load_dataset(spec_of(folder, "a.tsv", "text\tlabel\nx\t\n")));
  });
  auto spec = spec_of(folder, "a.tsv", "text\nx\n");
  spec.max_length = 2;
  expect_error(codes::bad_option, "no room beside 2 special tokens",
               [&] { static_cast<void>(load_dataset(spec)); });
  spec.tokenizer.clear();
  expect_error(codes::missing_data, "needs a tokenizer",
               [&] { static_cast<void>(load_dataset(spec)); });
}

TEST(LoadDataset, ChoosesSamplesBySeedInFileOrder) {
  const test::TemporaryFolder folder;
  std::string rows = "text\tlabel\n";
  for (int i = 0; i < 100; ++i) rows += "good\t" + std::to_string(i) + "\n";
  auto spec = spec_of(folder, "a.tsv", rows);
  spec.samples = 10;
  const auto first = load_dataset(spec);
  EXPECT_EQ(first.size(), 10U);
  EXPECT_TRUE(std::ranges::is_sorted(first.labels()));
  EXPECT_EQ(std::set<double>(first.labels().begin(), first.labels().end()).size(), 10U);
  EXPECT_TRUE(std::ranges::equal(first.labels(), load_dataset(spec).labels()));
  spec.seed = 2;
  EXPECT_FALSE(std::ranges::equal(first.labels(), load_dataset(spec).labels()));
}

TEST(LoadDataset, CutsAStreamIntoWindows) {
  const test::TemporaryFolder folder;
  DataSpec spec;
  spec.path = folder.write("a.txt", "abcab\ncb");
  spec.tokenizer = folder.write("chars/vocab.json", R"({"a": 0, "b": 1, "c": 2, "\n": 3})");
  spec.window = 3;
  const auto data = load_dataset(spec);
  ASSERT_EQ(data.size(), 3U);
  EXPECT_THAT(data.texts()[0].ids, ElementsAre(0, 1, 2));
  EXPECT_EQ(data.texts()[0].next_token, 0);
  EXPECT_THAT(data.texts()[1].ids, ElementsAre(0, 1, 3));
  EXPECT_EQ(data.texts()[1].next_token, 2);
  EXPECT_THAT(data.texts()[2].ids, ElementsAre(2));
  EXPECT_EQ(data.texts()[2].next_token, 1);
}

TEST(LoadDataset, TakesLabelsOutOfAnArchive) {
  const test::TemporaryFolder folder;
  DataSpec spec;
  spec.path = folder.path() / "a.npz";
  write_npz(spec.path,
            std::vector<NamedTensor>{{"pixels", Tensor::of<float>({3, 2}, {0, 1, 2, 3, 4, 5})},
                                     {"labels", Tensor::of<std::int32_t>({3, 1}, {2, 0, 1})},
                                     {"names", Tensor::of<float>({7}, {0, 0, 0, 0, 0, 0, 0})}});
  const std::vector<InputSpec> inputs = {{"pixels", DType::float32, {{-1, "n"}, {2, ""}}}};
  const auto data = load_dataset(spec, inputs);
  EXPECT_EQ(data.size(), 3U);
  EXPECT_THAT(data.labels(), ElementsAre(2.0, 0.0, 1.0));
  EXPECT_EQ(data.max_token_id(), -1);
  spec.samples = 1;
  const auto one = load_dataset(spec, inputs);
  EXPECT_EQ(one.size(), 1U);
  EXPECT_EQ(one.array("pixels")->dims(), (Dims{1, 2}));
  expect_error(codes::bad_data, "\"names\" has 7 samples but \"pixels\" has 3",
               [&] { static_cast<void>(load_dataset(spec)); });
  spec.label = "gold";
  expect_error(codes::bad_data, "the arrays are pixels, labels, names",
               [&] { static_cast<void>(load_dataset(spec, inputs)); });
}

TEST(LoadDataset, RefusesArchivesWithoutSamples) {
  const test::TemporaryFolder folder;
  DataSpec spec;
  spec.path = folder.path() / "a.npz";
  write_npz(spec.path, std::vector<NamedTensor>{{"x", Tensor::of<float>({0, 2}, {})}});
  expect_error(codes::empty_data, "no samples", [&] { static_cast<void>(load_dataset(spec)); });
  write_npz(spec.path, std::vector<NamedTensor>{{"x", Tensor::scalar<float>(1)}});
  expect_error(codes::bad_data, "is a scalar", [&] { static_cast<void>(load_dataset(spec)); });
}

// Tokens as the reference counts them (models/reference.json).
TEST(LoadDataset, CountsTheTokensOfSst2) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  DataSpec spec;
  spec.path = shared / "data/sst2/dev.tsv";
  spec.max_length = 128;
  spec.tokenizer = shared / "models/bundle/sst2-minilm-l3/vocab.txt";
  const auto small = load_dataset(spec);
  EXPECT_EQ(small.size(), 872U);
  EXPECT_EQ(small.token_count(), 23952);
  EXPECT_LT(small.max_token_id(), 6144);
  spec.tokenizer = shared / "models/minilm-l6-sst2";
  EXPECT_EQ(load_dataset(spec).token_count(), 21943);
}

TEST(LoadDataset, CountsTheTargetsOfShakespeare) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const test::TemporaryFolder folder;
  std::ifstream file(shared / "data/text/tinyshakespeare.txt", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  DataSpec spec;
  spec.path = folder.write("held-out.txt", text.substr(text.size() * 9 / 10));
  spec.tokenizer = shared / "models/bundle/gpt-shakespeare";
  spec.window = 128;
  const auto data = load_dataset(spec);
  EXPECT_EQ(data.token_count(), 111539);  // each token fed has one target
  for (const auto& sample : data.texts()) EXPECT_GE(sample.next_token, 0);
}

}  // namespace
}  // namespace onnxpress
