// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_weights.h"

#include <gmock/gmock.h>

#include <limits>
#include <string>
#include <vector>

#include "numerics/matrix.h"
#include "numerics/quantize_rtn.h"
#include "onnxpress/error.h"
#include "pack/matmul_nbits.h"
#include "pack/qdq.h"
#include "passes/run_pass.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

// y = gelu-free two-layer network: MatMul with a bias, then Gemm with transB.
Model network(std::int64_t opset = 13) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", opset}};
  Graph& g = model.graph;
  const ValueId x = g.add_input("x", DType::float32, Shape{{-1, "n"}, {64, ""}});
  const ValueId up = g.add_constant("up.weight", test::noise({64, 96}));
  const ValueId bias = g.add_constant("up.bias", test::noise({96}));
  const ValueId down = g.add_constant("down.weight", test::noise({32, 96}, 0.1F, 2));
  ValueId h = g.add("MatMul", {x, up}, {}, "h");
  h = g.add("Add", {h, bias}, {}, "h_biased");
  h = g.add("Relu", {h}, {}, "h_active");
  const ValueId y = g.add("Gemm", {h, down}, {{"transB", std::int64_t{1}}}, "y");
  g.mutable_value(y).dtype = DType::float32;
  g.add_output(y);
  return model;
}

TensorMap inputs() {
  return {{"x", test::noise({5, 64}, 1, 7)}};
}

TEST(QuantizeWeights, StoresInt8PerChannelAndHardlyChangesTheOutput) {
  const Model before = network();
  Model model = before;
  const PassPlan plan = test::run_pass(model, "quantize_weights");
  EXPECT_EQ(plan.changes(), 2U);
  EXPECT_EQ(plan.units[0].bytes_before, 64 * 96 * 4);
  EXPECT_EQ(plan.units[0].bytes_after, 64 * 96 + 96 * 4);
  EXPECT_EQ(plan.units[1].bytes_after, 96 * 32 + 32 * 4);
  EXPECT_THAT(
      model, test::HasOps("DequantizeLinear", "MatMul", "Add", "Relu", "DequantizeLinear", "Gemm"));
  const double change = test::relative_difference(test::run_model(before, inputs()),
                                                  test::run_model(model, inputs()));
  EXPECT_LT(change, 0.01);
  EXPECT_GT(change, 0);
}

TEST(QuantizeWeights, WritesBitForBitWhatTheQuantizerSolved) {
  Model model = network();
  const Tensor weight = *model.graph.constant(*model.graph.find_value("up.weight"));
  test::run_pass(model, "quantize_weights");
  ThreadPool pool(1);
  const auto solved = quantize_rtn(weight_ref(weight.as<float>(), 64, 96), {}, pool);
  const ValueId codes = *model.graph.find_value("up.weight_q");
  const auto written =
      unpack_qdq(model.graph, model.graph.value(codes).uses[0].node, MatrixLayout::in_out);
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(*written, solved);
}

TEST(QuantizeWeights, UnitsSolvedSideBySideAreThoseSolvedAlone) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = model.graph;
  ValueId h = g.add_input("x", DType::float32, Shape{{-1, "n"}, {64, ""}});
  const ValueId shared = g.add_constant("shared", test::noise({64, 64}, 0.1F, 9));
  std::vector<Tensor> weights;
  for (const char* name : {"a", "b", "c"}) {
    const auto seed = static_cast<int>(weights.size());
    weights.push_back(test::noise({64, 64}, 0.1F, seed));
    h = g.add("MatMul", {h, g.add_constant(name, weights.back())}, {}, name);
    h = g.add("MatMul", {h, shared}, {}, "again");
  }
  g.mutable_value(h).dtype = DType::float32;
  g.add_output(h);
  const Grid grid{4, 32, false};
  test::run_pass(model, "quantize_weights",
                 {{"method", std::string("rtn")},
                  {"bits", std::int64_t{4}},
                  {"group", std::int64_t{32}},
                  {"symmetric", false},
                  {"clip", false}});

  ThreadPool pool(1);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::string name = std::string(1, static_cast<char>('a' + i)) + "_q";
    const ValueId codes = *g.find_value(name);
    const auto written = unpack_matmul_nbits(g, g.value(codes).uses[0].node);
    ASSERT_TRUE(written.has_value());
    const QuantizedMatrix solved =
        quantize_rtn(weight_ref(weights[i].as<float>(), 64, 64), grid, pool);
    EXPECT_EQ(*written, with_layout(solved, MatrixLayout::out_in)) << name;
  }
  EXPECT_EQ(g.value(*g.find_value("shared_q")).uses.size(), 3U);
}

TEST(QuantizeWeights, HonoursGlobsAndSaysWhy) {
  Model model = network();
  const std::string first =
      test::run_pass(model, "quantize_weights", {{"exclude", std::vector<std::string>{"*"}}})
          .units[0]
          .label;
  const PassPlan plan =
      test::run_pass(model, "quantize_weights", {{"exclude", std::vector<std::string>{first}}});
  EXPECT_EQ(plan.changes(), 1U);
  EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("exclude"));
  Model other = network();
  const PassPlan none =
      test::run_pass(other, "quantize_weights", {{"include", std::vector<std::string>{"nothing"}}});
  EXPECT_EQ(none.changes(), 0U);
  EXPECT_EQ(none.unmatched_globs, std::vector<std::string>{"nothing"});
}

TEST(QuantizeWeights, KeepsWhatTheOpsetCannotStore) {
  Model model = network(12);
  const PassPlan plan = test::run_pass(model, "quantize_weights");
  EXPECT_EQ(plan.changes(), 0U);
  EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("opset 13"));
}

TEST(QuantizeWeights, KeepsWeightsThatAreNotFinite) {
  Model model = network();
  const ValueId id = *model.graph.find_value("up.weight");
  auto values = model.graph.constant(id)->as<float>();
  std::vector<float> broken(values.begin(), values.end());
  broken[7] = std::numeric_limits<float>::quiet_NaN();
  model.graph.set_constant(id, Tensor::of<float>({64, 96}, broken));
  const PassPlan plan = test::run_pass(model, "quantize_weights");
  EXPECT_EQ(plan.changes(), 1U);
  EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("NaN"));
}

TEST(QuantizeWeights, ASecondRunFindsThemQuantized) {
  Model model = network();
  test::run_pass(model, "quantize_weights");
  const PassPlan again = test::run_pass(model, "quantize_weights");
  EXPECT_EQ(again.changes(), 0U);
  EXPECT_TRUE(again.already_quantized);
}

TEST(QuantizeWeights, AWeightOfTwoUnitsIsStoredOnce) {
  Model model = network();
  Graph& g = model.graph;
  const ValueId x = *g.find_value("x");
  const ValueId y = g.add("MatMul", {x, *g.find_value("up.weight")}, {}, "z");
  g.mutable_value(y).dtype = DType::float32;
  g.add_output(y);
  const PassPlan plan = test::run_pass(model, "quantize_weights");
  EXPECT_EQ(plan.changes(), 3U);
  EXPECT_EQ(plan.bytes_after(), 64 * 96 + 96 * 4 + 96 * 32 + 32 * 4);
}

}  // namespace
}  // namespace onnxpress
