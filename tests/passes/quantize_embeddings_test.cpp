// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_embeddings.h"

#include <gmock/gmock.h>

#include "passes/run_pass.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

// Token embedding, one layer, and an output head that is the table's transpose.
Model language_model(bool tied) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = model.graph;
  const ValueId ids =
      g.add_input("input_ids", DType::int64, Shape{{-1, "batch"}, {-1, "sequence"}});
  const ValueId table = g.add_constant("wte", test::noise({200, 32}));
  const ValueId x = g.add("Gather", {table, ids}, {}, "embedded", "", DType::float32,
                          Shape{{-1, "batch"}, {-1, "sequence"}, {32, ""}});
  const ValueId h = g.add("Tanh", {x}, {}, "state");
  ValueId y = h;
  if (tied) {
    const ValueId turned =
        g.add("Transpose", {table}, {{"perm", std::vector<std::int64_t>{1, 0}}}, "head");
    y = g.add("MatMul", {h, turned}, {}, "logits");
  }
  g.mutable_value(y).dtype = DType::float32;
  g.add_output(y);
  return model;
}

TensorMap inputs() {
  return {{"input_ids", Tensor::of<std::int64_t>({2, 3}, {0, 7, 199, 42, 42, 1})}};
}

TEST(QuantizeEmbeddings, GathersCodesAndScales) {
  const Model before = language_model(false);
  Model model = before;
  const PassPlan plan = test::run_pass(model, "quantize_embeddings");
  EXPECT_EQ(plan.changes(), 1U);
  EXPECT_EQ(plan.bytes_before(), 200 * 32 * 4);
  EXPECT_EQ(plan.bytes_after(), 200 * 32 + 200 * 4 + 8);
  EXPECT_THAT(model, test::HasOps("Gather", "Gather", "Cast", "Unsqueeze", "Mul", "Tanh"));
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(model, inputs())),
            0.005);
}

TEST(QuantizeEmbeddings, ATiedHeadReadsTheSameCodes) {
  const Model before = language_model(true);
  Model model = before;
  const PassPlan plan = test::run_pass(model, "quantize_embeddings");
  EXPECT_EQ(plan.bytes_after(), 200 * 32 + 200 * 4 + 8);
  EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("stored once"));
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(model, inputs())),
            0.01);
  // Then the head's product becomes an integer one with these codes, and nothing is stored besides.
  const std::int64_t stored = weight_bytes(model.graph);
  EXPECT_EQ(test::run_pass(model, "quantize_dynamic").changes(), 1U);
  EXPECT_EQ(weight_bytes(model.graph), stored);
  EXPECT_THAT(test::op_types(model.graph), testing::Contains("MatMulInteger"));
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(model, inputs())),
            0.03);
}

TEST(QuantizeEmbeddings, AHeadAloneLeavesATiedTableToThisPass) {
  Model model = language_model(true);
  for (const char* pass : {"quantize_weights", "quantize_dynamic"}) {
    const PassPlan plan = test::run_pass(model, pass);
    EXPECT_EQ(plan.changes(), 0U);
    EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("quantize_embeddings"));
  }
}

TEST(QuantizeEmbeddings, WorksAtOldOpsetsAndInHalfPrecision) {
  for (const bool half : {false, true}) {
    Model model = language_model(false);
    if (half) test::run_pass(model, "cast_fp16", {{"compute", std::string("float32")}});
    if (!half) model.opsets = {{"", 11}};
    const Model before = model;
    EXPECT_EQ(test::run_pass(model, "quantize_embeddings").changes(), 1U);
    EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                        test::run_model(model, inputs())),
              0.005);
  }
}

TEST(QuantizeEmbeddings, ASecondRunFindsThemQuantized) {
  Model model = language_model(true);
  test::run_pass(model, "quantize_embeddings");
  const PassPlan again = test::run_pass(model, "quantize_embeddings");
  EXPECT_EQ(again.changes(), 0U);
  EXPECT_TRUE(again.already_quantized);
}

}  // namespace
}  // namespace onnxpress
