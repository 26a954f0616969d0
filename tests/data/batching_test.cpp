// SPDX-License-Identifier: Apache-2.0
#include "data/batching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "expect_error.h"

namespace onnxpress {
namespace {

using test::expect_error;
using testing::ElementsAre;

const Dim kBatch{-1, "batch"};
const Dim kSequence{-1, "sequence"};

std::vector<InputSpec> bert_inputs() {
  return {{"input_ids", DType::int64, {kBatch, kSequence}},
          {"attention_mask", DType::int64, {kBatch, kSequence}},
          {"token_type_ids", DType::int64, {kBatch, kSequence}}};
}

Dataset texts(std::vector<std::vector<std::int32_t>> ids) {
  std::vector<TextSample> samples;
  for (auto& sample : ids) samples.push_back({std::move(sample), {}, -1});
  return Dataset::of_texts(std::move(samples), {}, 9, "data");
}

TEST(MakeBatches, SortsByLengthKeepsOrderAndPads) {
  const Dataset data = texts({{5, 6, 7}, {1}, {2, 3, 4}, {8}});
  const auto batches = make_batches(data, bert_inputs(), 3);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_THAT(batches[0].samples, ElementsAre(1, 3, 0));
  EXPECT_THAT(batches[0].lengths, ElementsAre(1, 1, 3));
  EXPECT_EQ(batches[0].inputs.at("input_ids"),
            Tensor::of<std::int64_t>({3, 3}, {1, 9, 9, 8, 9, 9, 5, 6, 7}));
  EXPECT_EQ(batches[0].inputs.at("attention_mask"),
            Tensor::of<std::int64_t>({3, 3}, {1, 0, 0, 1, 0, 0, 1, 1, 1}));
  EXPECT_EQ(batches[0].inputs.at("token_type_ids"),
            Tensor::of<std::int64_t>({3, 3}, std::vector<std::int64_t>(9)));
  EXPECT_THAT(batches[1].samples, ElementsAre(2));
}

// Whatever the data: every sample once, its tokens first in its row, then padding, and a mask that
// says so.
TEST(MakeBatches, CoversEverySampleOnceOnRandomData) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<std::int32_t>> ids(1 + random() % 40);
    for (auto& sample : ids) {
      sample.resize(random() % 20);
      for (auto& id : sample) id = static_cast<std::int32_t>(random() % 1000);
    }
    const Dataset data = texts(ids);
    std::vector<int> seen(ids.size());
    for (const Batch& batch : make_batches(data, bert_inputs(), 1 + random() % 8)) {
      const Tensor& tokens = batch.inputs.at("input_ids");
      const auto width = static_cast<std::size_t>(tokens.dims()[1]);
      for (std::size_t r = 0; r < batch.samples.size(); ++r) {
        const auto& sample = ids[batch.samples[r]];
        ++seen[batch.samples[r]];
        EXPECT_EQ(batch.lengths[r], sample.size());
        for (std::size_t c = 0; c < width; ++c) {
          const bool real = c < sample.size();
          EXPECT_EQ(tokens.as<std::int64_t>()[r * width + c], real ? sample[c] : 9);
          EXPECT_EQ(batch.inputs.at("attention_mask").as<std::int64_t>()[r * width + c], real);
        }
      }
    }
    EXPECT_THAT(seen, testing::Each(1));
  }
}

TEST(MakeBatches, HonoursFixedSizes) {
  std::vector<InputSpec> inputs = {{"ids", DType::int32, {{2, ""}, {4, ""}}}};
  const auto batches = make_batches(texts({{1}, {2, 3}, {4, 5, 6}}), inputs, 32);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_EQ(batches[0].inputs.at("ids"),
            Tensor::of<std::int32_t>({2, 4}, {1, 9, 9, 9, 2, 3, 9, 9}));
  EXPECT_THAT(batches[1].samples, ElementsAre(2));  // the second row is a repetition
  EXPECT_EQ(batches[1].inputs.at("ids"),
            Tensor::of<std::int32_t>({2, 4}, {4, 5, 6, 9, 4, 5, 6, 9}));
  expect_error(codes::bad_data, "a sample has 5 tokens, but the model takes 4", [&] {
    static_cast<void>(make_batches(texts({{1, 2, 3, 4, 5}}), inputs, 1));
  });
}

TEST(MakeBatches, FillsPositionsAndOtherTypesOfMasks) {
  const std::vector<InputSpec> inputs = {{"input_ids", DType::int32, {kBatch, kSequence}},
                                         {"attention_mask", DType::float32, {kBatch, kSequence}},
                                         {"position_ids", DType::int64, {kBatch, kSequence}}};
  const auto batches = make_batches(texts({{5, 6}, {7, 8, 9}}), inputs, 2);
  EXPECT_EQ(batches[0].inputs.at("attention_mask"), Tensor::of<float>({2, 3}, {1, 1, 0, 1, 1, 1}));
  EXPECT_EQ(batches[0].inputs.at("position_ids"),
            Tensor::of<std::int64_t>({2, 3}, {0, 1, 2, 0, 1, 2}));
}

TEST(MakeBatches, NamesBothSidesOfAMissingInput) {
  auto inputs = bert_inputs();
  inputs.push_back({"past_key_values.0.key", DType::float32, {kBatch}});
  expect_error(codes::missing_input, "\"past_key_values.0.key\": the model takes input_ids (int64",
               [&] { static_cast<void>(make_batches(texts({{1}}), inputs, 1)); });
  const Dataset pixels =
      Dataset::of_arrays({{"pixels", Tensor::of<float>({1, 2}, {1, 2})}}, {}, "a.npz");
  expect_error(codes::missing_input, "the data have pixels",
               [&] { static_cast<void>(make_batches(pixels, bert_inputs(), 1)); });
}

TEST(MakeBatches, SlicesArraysByName) {
  const Dataset data = Dataset::of_arrays({{"a", Tensor::of<float>({3, 2}, {0, 1, 2, 3, 4, 5})},
                                           {"b", Tensor::of<std::int32_t>({3}, {7, 8, 9})}},
                                          {}, "a.npz");
  const std::vector<InputSpec> inputs = {{"b", DType::int64, {kBatch}},
                                         {"a", DType::float32, {kBatch, {2, ""}}}};
  const auto batches = make_batches(data, inputs, 2);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_EQ(batches[0].inputs.at("a"), Tensor::of<float>({2, 2}, {0, 1, 2, 3}));
  EXPECT_EQ(batches[1].inputs.at("b"), Tensor::of<std::int64_t>({1}, {9}));
}

TEST(MakeBatches, SortsArraysByTheirMasksAndFillsWhatIdsImply) {
  const Dataset data =
      Dataset::of_arrays({{"input_ids", Tensor::of<std::int64_t>({2, 3}, {1, 2, 3, 4, 0, 0})},
                          {"attention_mask", Tensor::of<std::int64_t>({2, 3}, {1, 1, 1, 1, 0, 0})}},
                         {}, "a.npz");
  const auto batches = make_batches(data, bert_inputs(), 1);
  EXPECT_THAT(batches[0].samples, ElementsAre(1));
  EXPECT_THAT(batches[0].lengths, ElementsAre(1));
  EXPECT_EQ(batches[0].inputs.at("token_type_ids"), Tensor::of<std::int64_t>({1, 3}, {0, 0, 0}));
}

TEST(MakeBatches, ConvertsOnlyWhatKeepsItsMeaning) {
  const auto feed = [](Tensor tensor, InputSpec input) {
    const Dataset data = Dataset::of_arrays({{"x", std::move(tensor)}}, {}, "a.npz");
    return make_batches(data, std::vector{std::move(input)}, 8)[0].inputs.begin()->second;
  };
  EXPECT_EQ(feed(Tensor::of<double>({1, 2}, {0.5, 2}), {"y", DType::float32, {kBatch, kSequence}}),
            Tensor::of<float>({1, 2}, {0.5F, 2}));
  expect_error(codes::bad_data, "takes int32 [batch], but the data have int64 [1] with the value",
               [&] {
                 feed(Tensor::of<std::int64_t>({1}, {1LL << 40}), {"y", DType::int32, {kBatch}});
               });
  expect_error(codes::bad_data, "but the data have uint8 [1]", [&] {
    feed(Tensor::of<std::uint8_t>({1}, {255}), {"y", DType::float32, {kBatch}});
  });
  expect_error(codes::bad_data, "takes float [batch, 3], but the data have float [1, 2]", [&] {
    feed(Tensor::of<float>({1, 2}, {1, 2}), {"y", DType::float32, {kBatch, {3, ""}}});
  });
}

}  // namespace
}  // namespace onnxpress
