// SPDX-License-Identifier: Apache-2.0
// How quantize_weights finds INT4 codes: by the weights alone, and on data.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "calib/calibration_fixture.h"
#include "onnxpress/error.h"
#include "pack/matmul_nbits.h"
#include "passes/run_pass.h"

namespace onnxpress {
namespace {

OptionValues int4(const std::string& method) {
  return {{"method", method},
          {"bits", std::int64_t{4}},
          {"group", std::int64_t{32}},
          {"symmetric", false}};
}

struct Quantized {
  Model model;
  PassPlan plan;
  PassResult result;
};

// The small GPT, with 96 made-up sentences if it is on data.
Quantized quantize(const std::string& method, bool on_data) {
  Quantized run{test::small_gpt(), {}, {}};
  ThreadPool pool(2);
  const Calibration calibration{
      CalibrationSet(test::sentences(96, 60), input_specs(run.model.graph), 16), {}};
  PassContext context(run.model, pool, {}, on_data ? &calibration : nullptr);
  const auto pass = make_pass("quantize_weights", int4(method));
  run.plan = pass->plan(context);
  run.result = pass->apply(run.plan, context);
  run.model.graph.remove_unused();
  run.model.graph.sort();
  run.model.graph.verify();
  return run;
}

// Of the logits of sentences that were not calibrated on, against the original's.
double change(const Model& model) {
  const CalibrationSet set(test::sentences(160, 60), input_specs(model.graph), 160);
  const TensorMap inputs = set.batch(0).inputs;
  const auto before = test::run_model(test::small_gpt(), inputs).begin()->second.to_doubles();
  const auto after = test::run_model(model, inputs).begin()->second.to_doubles();
  double error = 0;
  double energy = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    error += (before[i] - after[i]) * (before[i] - after[i]);
    energy += before[i] * before[i];
  }
  return std::sqrt(error / energy);
}

std::size_t float_zeros(const Model& model) {
  std::size_t count = 0;
  for (const NodeId id : model.graph.nodes()) {
    const auto q = unpack_matmul_nbits(model.graph, id);
    if (q && q->grid.float_zeros) ++count;
  }
  return count;
}

TEST(QuantizeWeightsMethods, WithoutDataFloatZeroPointsAreFittedToTheWeights) {
  const Quantized run = quantize("auto", false);
  EXPECT_GT(run.plan.changes(), 0U);
  EXPECT_EQ(float_zeros(run.model), run.plan.changes());
  EXPECT_EQ(float_zeros(quantize("rtn", false).model), 0U);
  Model model = test::small_gpt();
  test::run_pass(model, "quantize_weights", int4("hqq"));  // checks the planned bytes
}

TEST(QuantizeWeightsMethods, HqqIsRefusedWhereThereAreNoZeroPoints) {
  EXPECT_THROW((void)make_pass("quantize_weights", {{"method", std::string("hqq")}}), Error);
}

TEST(QuantizeWeightsMethods, AwqAndGptqNeedData) {
  EXPECT_THROW((void)quantize("awq", false), Error);
  EXPECT_THROW((void)quantize("gptq", false), Error);
}

TEST(QuantizeWeightsMethods, AwqTakesTheUnitsThatScalesReachAndSaysWhyItLeavesOthersToGptq) {
  const Quantized run = quantize("awq", true);
  std::size_t awq = 0;
  std::size_t gptq = 0;
  for (const auto& [row, way] : run.result.ways) {
    const std::string& label = run.plan.units[row].label;
    const bool folds = way.find("no exact fold: ") == std::string::npos;
    const auto& figures = run.result.figures.at(row);
    const bool tried_awq = std::ranges::any_of(
        figures, [](const auto& figure) { return figure.first.starts_with("awq"); });
    EXPECT_EQ(tried_awq, folds) << label << ": " << way;
    ++(folds ? awq : gptq);
  }
  EXPECT_GT(awq, 0U);   // behind the norms
  EXPECT_GT(gptq, 0U);  // behind GELU
}

TEST(QuantizeWeightsMethods, DataLowerTheErrorOfUnseenSentences) {
  const double rtn = change(quantize("rtn", false).model);
  EXPECT_LT(change(quantize("awq", true).model), 0.9 * rtn);
  EXPECT_LT(change(quantize("gptq", true).model), 0.75 * rtn);
}

}  // namespace
}  // namespace onnxpress
