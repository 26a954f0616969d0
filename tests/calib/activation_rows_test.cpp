// SPDX-License-Identifier: Apache-2.0
#include "calib/activation_rows.h"

#include <gmock/gmock.h>

namespace onnxpress {
namespace {

using ::testing::ElementsAre;

// Samples 7 (2 tokens) and 4 (3 tokens); a third row fills the batch.
Batch batch() {
  Batch b;
  b.inputs["input_ids"] = Tensor::of<std::int64_t>({3, 3}, {1, 1, 0, 1, 1, 1, 1, 1, 1});
  b.samples = {7, 4};
  b.lengths = {2, 3};
  return b;
}

const std::vector<InputSpec>& inputs() {
  static const std::vector<InputSpec> specs = {{"input_ids", DType::int64, {{}, {}}}};
  return specs;
}

TEST(ActivationRows, TokensWithoutPadding) {
  for (const Dims& dims : {Dims{3, 3, 5}, Dims{9, 5}}) {
    const ActivationRows rows = BatchRows(batch(), inputs()).rows(dims);
    EXPECT_EQ(rows.count, 9);
    EXPECT_EQ(rows.width, 5);
    EXPECT_THAT(rows.valid, ElementsAre(1, 1, 0, 1, 1, 1, 0, 0, 0));
    EXPECT_THAT(rows.sample, ElementsAre(7, 7, 7, 4, 4, 4, 4, 4, 4));
    EXPECT_THAT(rows.in_sample, ElementsAre(0, 1, 2, 0, 1, 2, 0, 1, 2));
    EXPECT_EQ(rows.valid_count, 5);
  }
}

TEST(ActivationRows, PooledRowsAreSamples) {
  const ActivationRows rows = BatchRows(batch(), inputs()).rows({3, 5});
  EXPECT_THAT(rows.valid, ElementsAre(1, 1, 0));
  EXPECT_THAT(rows.sample, ElementsAre(7, 4, 4));
}

TEST(ActivationRows, HeadsBeforeTokens) {
  const ActivationRows rows = BatchRows(batch(), inputs()).rows({3, 2, 3, 5});
  EXPECT_EQ(rows.count, 18);
  EXPECT_THAT(std::vector(rows.valid.begin(), rows.valid.begin() + 6),
              ElementsAre(1, 1, 0, 1, 1, 0));
  // (token, head), so that longer batches number the rows alike.
  EXPECT_THAT(std::vector(rows.in_sample.begin(), rows.in_sample.begin() + 6),
              ElementsAre(0, 2, 4, 1, 3, 5));
}

TEST(ActivationRows, TheMaskCountsMoreThanTheLength) {
  Batch b = batch();
  b.inputs["attention_mask"] = Tensor::of<std::int64_t>({3, 3}, {0, 1, 1, 1, 1, 1, 1, 1, 1});
  std::vector<InputSpec> specs = inputs();
  specs.push_back({"attention_mask", DType::int64, {{}, {}}});
  const ActivationRows rows = BatchRows(b, specs).rows({3, 3, 5});
  EXPECT_THAT(rows.valid, ElementsAre(0, 1, 1, 1, 1, 1, 0, 0, 0));
}

TEST(ActivationRows, OtherShapesCountWhole) {
  const BatchRows rows(batch(), inputs());
  EXPECT_EQ(rows.rows({1, 4, 5}).valid_count, 4);    // of no sample of its own
  EXPECT_EQ(rows.rows({3, 17, 5}).valid_count, 34);  // 17 rows a sample, two samples
  EXPECT_EQ(rows.rows({5}).count, 1);
  EXPECT_EQ(rows.rows({}).count, 1);
  EXPECT_EQ(rows.rows({0, 5}).count, 0);
}

TEST(ActivationRows, WithoutTokensEveryRowOfASampleCounts) {
  Batch b;
  b.inputs["pixels"] = Tensor::of<float>({2, 1}, {1, 2});
  b.samples = {0, 1};
  b.lengths = {0, 0};
  const std::vector<InputSpec> specs = {{"pixels", DType::float32, {{}, {}}}};
  const ActivationRows rows = BatchRows(b, specs).rows({2, 3, 4});
  EXPECT_EQ(rows.valid_count, 6);
  EXPECT_THAT(rows.sample, ElementsAre(0, 0, 0, 1, 1, 1));
}

}  // namespace
}  // namespace onnxpress
