// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_embeddings.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "onnxpress/error.h"
#include "passes/run_pass.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

// Token embedding, one layer, and an output head that is the table's transpose.
Model language_model(bool tied, std::int64_t width = 32) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = model.graph;
  const ValueId ids =
      g.add_input("input_ids", DType::int64, Shape{{-1, "batch"}, {-1, "sequence"}});
  const ValueId table = g.add_constant("wte", test::noise({200, width}));
  const ValueId x = g.add("Gather", {table, ids}, {}, "embedded", "", DType::float32,
                          Shape{{-1, "batch"}, {-1, "sequence"}, {width, ""}});
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
  EXPECT_EQ(plan.bytes_after(), 200 * 32 + 200 * 2 + 8);
  EXPECT_EQ(weight_bytes(model.graph), plan.bytes_after());
  EXPECT_THAT(model, test::HasOps("Gather", "Gather", "Cast", "Cast", "Unsqueeze", "Mul", "Tanh"));
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(model, inputs())),
            0.005);
}

TEST(QuantizeEmbeddings, OneScaleForTheTableIsStoredOnce) {
  for (const bool tied : {false, true}) {
    const Model before = language_model(tied);
    Model model = before;
    model.opsets = {{"", 12}};  // no scales per channel, which begin at opset 13
    const PassPlan plan = test::run_pass(model, "quantize_embeddings", {{"per_row", false}});
    EXPECT_EQ(plan.changes(), 1U);
    EXPECT_EQ(plan.bytes_after(), 200 * 32 + 4);
    EXPECT_EQ(weight_bytes(model.graph), plan.bytes_after());
    EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("INT8 per table"));
    EXPECT_EQ(model.opset(), 12);
    EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                        test::run_model(model, inputs())),
              0.01);
    // A tied head becomes an integer product with the same codes and scale.
    EXPECT_EQ(test::run_pass(model, "quantize_dynamic").changes(), tied ? 1U : 0U);
    EXPECT_EQ(weight_bytes(model.graph), plan.bytes_after());
    EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                        test::run_model(model, inputs())),
              0.03);
  }
}

TEST(QuantizeEmbeddings, OneScaleForTheTableIsRefusedForBlocksOfEightBits) {
  for (const std::int64_t group : {0, 32}) {
    const OptionValues options{
        {"per_row", false}, {"group", group}, {"storage", std::string("gather_block_quantized")}};
    EXPECT_THROW(make_pass("quantize_embeddings", options), Error);
  }
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

// The options of a table of 4 bits in groups of 16, whatever its size.
OptionValues four_bits(OptionValues more = {}) {
  more.merge(OptionValues{{"bits", std::int64_t{4}},
                          {"group", std::int64_t{16}},
                          {"int8_below", 0.0},
                          {"refined_rows", 0.0}});
  return more;
}

TEST(QuantizeEmbeddings, FourBitsInGroupsAreOneOperator) {
  const Model before = language_model(false);
  for (const bool symmetric : {true, false}) {
    Model model = before;
    model.opsets = {{"", 11}};
    const PassPlan plan =
        test::run_pass(model, "quantize_embeddings", four_bits({{"symmetric", symmetric}}));
    // Codes, a float16 scale for each 16 of them, zero points.
    EXPECT_EQ(plan.bytes_after(), 200 * 16 + 200 * 2 * 2 + (symmetric ? 0 : 200));
    EXPECT_THAT(model, test::HasOps("GatherBlockQuantized", "Cast", "Tanh"));
    EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                        test::run_model(model, inputs())),
              0.1);
    const PassPlan again = test::run_pass(model, "quantize_embeddings", four_bits());
    EXPECT_EQ(again.changes(), 0U);
    EXPECT_TRUE(again.already_quantized);
  }
}

TEST(QuantizeEmbeddings, FloatScalesAndWholeRows) {
  Model model = language_model(false);
  const PassPlan plan =
      test::run_pass(model, "quantize_embeddings",
                     four_bits({{"group", std::int64_t{0}}, {"scales", std::string("float32")}}));
  EXPECT_EQ(plan.bytes_after(), 200 * 16 + 200 * 4);
  EXPECT_EQ(plan.units[0].reason, "INT4 per row");
  EXPECT_THAT(model, test::HasOps("GatherBlockQuantized", "Tanh"));
}

TEST(QuantizeEmbeddings, GroupsThatDoNotDivideTheRowAreStoredWithoutFilling) {
  Model before = language_model(false, 40);
  Model model = before;
  const PassPlan plan = test::run_pass(model, "quantize_embeddings", four_bits());
  EXPECT_EQ(plan.bytes_after(), 200 * 20 + 200 * 3 * 2);
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(model, inputs())),
            0.13);
  before = language_model(false, 41);
  const PassPlan odd = test::run_pass(before, "quantize_embeddings", four_bits());
  EXPECT_EQ(odd.changes(), 0U);
  EXPECT_THAT(odd.units[0].reason, testing::HasSubstr("odd"));
}

TEST(QuantizeEmbeddings, ATiedHeadReadsTheSameBlocks) {
  const Model before = language_model(true);
  Model model = before;
  const PassPlan plan =
      test::run_pass(model, "quantize_embeddings", four_bits({{"symmetric", false}}));
  // Codes once, and three numbers that say how MatMulNBits sees them.
  EXPECT_EQ(plan.bytes_after(), 200 * 16 + 200 * 2 * 4 + 200 + 24);
  EXPECT_EQ(weight_bytes(model.graph), plan.bytes_after());
  EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("stored once"));
  EXPECT_THAT(test::op_types(model.graph),
              testing::IsSupersetOf({"GatherBlockQuantized", "Reshape", "MatMulNBits"}));
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(model, inputs())),
            0.1);
  Model ragged = language_model(true, 40);
  const PassPlan refused = test::run_pass(ragged, "quantize_embeddings", four_bits());
  EXPECT_EQ(refused.changes(), 0U);
  EXPECT_THAT(refused.units[0].reason, testing::HasSubstr("whole blocks"));
}

TEST(QuantizeEmbeddings, RowsThatTheDataLookUpGetTwiceTheBits) {
  const Model before = language_model(false);
  Model model = before;
  const Calibration calibration{
      CalibrationSet(Dataset::of_arrays({{"input_ids", inputs().at("input_ids")}}, {}),
                     input_specs(model.graph)),
      {}};
  const OptionValues options = four_bits({{"refined_rows", 0.05}});
  const PassPlan plan = test::run_pass(model, "quantize_embeddings", options, &calibration);
  EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("10 rows refined"));
  // Errors of ten rows and of none, and a place for each row of the table.
  EXPECT_EQ(plan.bytes_after(), 211 * 16 + 211 * 2 * 2 + 200 * 2);
  EXPECT_EQ(weight_bytes(model.graph), plan.bytes_after());
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(model, inputs())),
            0.008);
  // Other rows stay as they are.
  Model plain = before;
  test::run_pass(plain, "quantize_embeddings", four_bits());
  const TensorMap others = {{"input_ids", Tensor::of<std::int64_t>({1, 3}, {50, 100, 198})}};
  EXPECT_TRUE(test::identical(test::run_model(plain, others), test::run_model(model, others)));
  // Without data the first rows get them, in as many bytes.
  Model blind = before;
  EXPECT_EQ(test::run_pass(blind, "quantize_embeddings", options).bytes_after(),
            plan.bytes_after());
  const TensorMap first = {{"input_ids", Tensor::of<std::int64_t>({1, 3}, {2, 5, 9})}};
  EXPECT_LT(
      test::relative_difference(test::run_model(before, first), test::run_model(blind, first)),
      0.012);
}

TEST(QuantizeEmbeddings, SmallTablesOfFewBitsAreInt8PerRow) {
  Model model = language_model(false);
  Graph& g = model.graph;
  const ValueId head = g.add_constant("head", test::noise({32, 2000}));
  g.add_output(g.add("MatMul", {g.outputs()[0], head}, {}, "logits", "", DType::float32));
  auto options = four_bits();
  options["int8_below"] = 0.2;
  const PassPlan plan = test::run_pass(model, "quantize_embeddings", options);
  EXPECT_EQ(plan.bytes_after(), 200 * 32 + 200 * 2 + 8);
  EXPECT_EQ(plan.units[0].reason, "INT8 per row, float16 scales");
}

// A table whose row 3 holds those numbers.
Model with_row(const std::vector<float>& row) {
  Model model = language_model(false);
  const Tensor table = test::noise({200, 32});
  std::vector<float> values(table.as<float>().begin(), table.as<float>().end());
  std::ranges::copy(row, values.begin() + 3 * 32);
  model.graph.set_constant(*model.graph.find_value("wte"), Tensor::of<float>({200, 32}, values));
  return model;
}

TEST(QuantizeEmbeddings, OddRowsAreHandled) {
  const TensorMap row3 = {{"input_ids", Tensor::of<std::int64_t>({1, 1}, {3})}};
  const TensorMap others = {{"input_ids", Tensor::of<std::int64_t>({1, 3}, {0, 7, 199})}};
  for (const OptionValues& options : {OptionValues{}, four_bits()}) {
    for (const float bad : {NAN, INFINITY}) {
      Model model = with_row({bad});
      const PassPlan plan = test::run_pass(model, "quantize_embeddings", options);
      EXPECT_EQ(plan.changes(), 0U);
      EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("NaN"));
    }
    for (const float value : {0.0F, 0.1F}) {
      const Model before = with_row(std::vector<float>(32, value));
      Model model = before;
      EXPECT_EQ(test::run_pass(model, "quantize_embeddings", options).changes(), 1U);
      EXPECT_LE(
          test::relative_difference(test::run_model(before, row3), test::run_model(model, row3)),
          value == 0 ? 0 : 0.002);
    }
    const Model before = with_row({1e30F});
    Model model = before;
    const PassPlan plan = test::run_pass(model, "quantize_embeddings", options);
    EXPECT_EQ(plan.changes(), 1U);
    ASSERT_EQ(plan.warnings.size(), 1U);
    EXPECT_THAT(plan.warnings[0], testing::HasSubstr("row 3"));
    EXPECT_LT(
        test::relative_difference(test::run_model(before, others), test::run_model(model, others)),
        0.08);
  }
}

// Rows that are far from zero, normalised after a sum, or not at all.
Model model_of_shifted_rows(bool normalised) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 17}};
  Graph& g = model.graph;
  const Tensor around_zero = test::noise({200, 32});
  std::vector<float> values;
  for (const float value : around_zero.as<float>()) values.push_back(value + 0.5F);
  const ValueId ids = g.add_input("input_ids", DType::int64, Shape{{2, ""}, {3, ""}});
  const ValueId table = g.add_constant("wte", Tensor::of<float>({200, 32}, std::move(values)));
  const ValueId x = g.add("Gather", {table, ids}, {}, "embedded", "", DType::float32,
                          Shape{{2, ""}, {3, ""}, {32, ""}});
  const ValueId bias = g.add_constant("bias", test::noise({32}));
  const ValueId sum = g.add("Add", {x, bias}, {}, "sum", "", DType::float32, g.value(x).shape);
  if (!normalised) {
    g.add_output(sum);
    return model;
  }
  const ValueId gain = g.add_constant("gain", test::noise({32}, 1));
  g.add_output(g.add("LayerNormalization", {sum, gain}, {}, "normalised", "", DType::float32,
                     g.value(x).shape));
  return model;
}

TEST(QuantizeEmbeddings, MeansAreLeftOutWhereANormSubtractsThem) {
  const Model before = model_of_shifted_rows(true);
  std::vector<double> errors;
  for (const bool remove : {false, true}) {
    Model model = before;
    const PassPlan plan =
        test::run_pass(model, "quantize_embeddings", four_bits({{"remove_mean", remove}}));
    EXPECT_EQ(plan.units[0].reason.find("means left out") != std::string::npos, remove);
    errors.push_back(test::relative_difference(test::run_model(before, inputs()),
                                               test::run_model(model, inputs())));
  }
  EXPECT_LT(errors[1], 0.4 * errors[0]);
  Model plain = model_of_shifted_rows(false);
  const PassPlan plan = test::run_pass(plain, "quantize_embeddings", four_bits());
  EXPECT_EQ(plan.units[0].reason, "INT4 group 16, float16 scales");
}

}  // namespace
}  // namespace onnxpress
