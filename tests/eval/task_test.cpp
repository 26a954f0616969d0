// SPDX-License-Identifier: Apache-2.0
#include "eval/task.h"

#include <gtest/gtest.h>

#include "eval/rows.h"
#include "eval/synthetic_inputs.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

constexpr const char* kLookUps = R"(
  g (int64[b,s] ids, int64[b,s] types, int64[b,s] mask) => (float[b,s,2] y)
  <float[7,2] words = {0,0,0,0,0,0,0,0,0,0,0,0,0,0}, float[2,2] kinds = {0,0,0,0}> {
    cast = Cast<to = 6>(ids)
    a = Gather(words, cast)
    b = Gather(kinds, types)
    c = Add(a, b)
    m = Cast<to = 1>(mask)
    y = Identity(c)
  })";

TEST(LookedUpInputs, AreFoundThroughCasts) {
  const Model model = test::parse(kLookUps);
  const auto inputs = looked_up_inputs(model.graph);
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(inputs[0].input, "ids");
  EXPECT_EQ(inputs[0].rows, 7);
  EXPECT_EQ(inputs[1].rows, 2);
  EXPECT_EQ(token_input(model.graph)->input, "ids");
}

TEST(LookedUpInputs, AreFoundInTablesOfBlocks) {
  const Model model = test::parse(R"(
  <ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]>
  g (int64[b,s] ids) => (float[b,s,16] y)
  <uint8[3,8] codes = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0},
   float[3,1] scales = {1,1,1}> {
    y = com.microsoft.GatherBlockQuantized<gather_axis = 0, quantize_axis = 1, block_size = 16,
                                           bits = 4>(codes, ids, scales)
  })");
  ASSERT_TRUE(token_input(model.graph).has_value());
  EXPECT_EQ(token_input(model.graph)->rows, 3);
}

Tensor zeros(Dims dims) {
  const auto count = static_cast<std::size_t>(*element_count(dims));
  return Tensor::of<float>(std::move(dims), std::vector<float>(count));
}

Batch batch_of(std::int64_t rows, std::int64_t length) {
  Batch batch;
  batch.inputs["input_ids"] = Tensor::of<std::int64_t>(
      {rows, length}, std::vector<std::int64_t>(static_cast<std::size_t>(rows * length)));
  return batch;
}

OutputKind kind_of(Dims dims, std::optional<std::int64_t> vocabulary) {
  const TensorMap outputs = {{"y", zeros(std::move(dims))}};
  return judge_outputs(outputs, {{"y", DType::float32, {}, false}}, batch_of(4, 6), vocabulary)[0]
      .kind;
}

TEST(JudgeOutputs, TellsKindsApartByShape) {
  EXPECT_EQ(kind_of({4, 2}, 100), OutputKind::class_logits);
  EXPECT_EQ(kind_of({4, 6, 100}, 100), OutputKind::token_logits);
  EXPECT_EQ(kind_of({4, 6, 32}, 100), OutputKind::token_vectors);
  EXPECT_EQ(kind_of({4}, 100), OutputKind::single_numbers);
  EXPECT_EQ(kind_of({4, 1}, 100), OutputKind::single_numbers);
  EXPECT_EQ(kind_of({3, 2}, 100), OutputKind::values);  // not one row a sample
}

TEST(JudgeOutputs, APooledVectorIsNoClassifier) {
  const TensorMap outputs = {{"hidden", zeros({4, 6, 32})}, {"pooled", zeros({4, 32})}};
  const auto roles = judge_outputs(
      outputs, {{"hidden", DType::float32, {}, false}, {"pooled", DType::float32, {}, false}},
      batch_of(4, 6), 100);
  EXPECT_EQ(roles[1].kind, OutputKind::values);
}

TEST(ChooseTask, FollowsOutputsAndLabels) {
  EXPECT_EQ(choose_task({{"y", OutputKind::class_logits}}, true).task, Task::classification);
  EXPECT_EQ(choose_task({{"y", OutputKind::class_logits}}, false).task, Task::none);
  EXPECT_EQ(choose_task({{"y", OutputKind::single_numbers}}, true).task, Task::regression);
  EXPECT_EQ(choose_task({{"x", OutputKind::values}, {"y", OutputKind::token_logits}}, false).output,
            "y");
}

TEST(BatchTokens, KnowsPaddingAndWhatFollows) {
  Batch batch;
  batch.inputs["input_ids"] = Tensor::of<std::int64_t>({2, 3}, {5, 6, 7, 8, 9, 0});
  batch.samples = {0, 1};
  batch.lengths = {3, 2};
  batch.next_tokens = {4, -1};
  const BatchTokens tokens(batch, "input_ids");
  EXPECT_EQ(tokens.next(0, 0), 6);
  EXPECT_EQ(tokens.next(0, 2), 4);  // behind the window
  EXPECT_EQ(tokens.next(1, 0), 9);
  EXPECT_EQ(tokens.next(1, 1), std::nullopt);  // the next one is padding
  EXPECT_FALSE(tokens.counts(1, 2));
  EXPECT_TRUE(tokens.counts(1, 1));
}

TEST(BatchTokens, PrefersTheMask) {
  Batch batch;
  batch.inputs["input_ids"] = Tensor::of<std::int64_t>({1, 3}, {0, 6, 7});
  batch.inputs["attention_mask"] = Tensor::of<std::int64_t>({1, 3}, {0, 1, 1});
  const BatchTokens tokens(batch, "input_ids");
  EXPECT_FALSE(tokens.counts(0, 0));
  EXPECT_EQ(tokens.next(0, 1), 7);
  EXPECT_EQ(tokens.next(0, 0), std::nullopt);
}

TEST(SyntheticInputs, FitTheModel) {
  const Model model = test::parse(kLookUps);
  const auto specs = input_specs(model.graph);
  const TensorMap made = synthetic_inputs(specs, looked_up_inputs(model.graph), {3, 5});
  ASSERT_EQ(made.size(), 3U);
  EXPECT_EQ(made.at("ids").dims(), (Dims{3, 5}));
  bool varied = false;
  for (const std::int64_t id : made.at("ids").as<std::int64_t>()) {
    EXPECT_GE(id, 0);
    EXPECT_LT(id, 7);
    varied = varied || id != made.at("ids").as<std::int64_t>()[0];
  }
  EXPECT_TRUE(varied);
  for (const std::int64_t bit : made.at("mask").as<std::int64_t>()) EXPECT_EQ(bit, 1);
  EXPECT_EQ(made, synthetic_inputs(specs, looked_up_inputs(model.graph), {3, 5}));
}

TEST(SyntheticInputs, KeepFixedSizes) {
  const std::vector<InputSpec> image = {
      {"pixels", DType::float32, {{-1, "batch"}, {1, ""}, {8, ""}, {8, ""}}}};
  EXPECT_EQ(fitting_sizes(image, {2, 128}).sequence, 0);
  EXPECT_EQ(synthetic_inputs(image, {}, {2, 0}).at("pixels").dims(), (Dims{2, 1, 8, 8}));
  const std::vector<InputSpec> fixed = {{"ids", DType::int64, {{1, ""}, {16, ""}}}};
  EXPECT_EQ(fitting_sizes(fixed, {4, 128}).sequence, 16);
  EXPECT_EQ(fitting_sizes(fixed, {4, 128}).batch, 1);
}

}  // namespace
}  // namespace onnxpress
