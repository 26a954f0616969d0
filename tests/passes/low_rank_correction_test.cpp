// SPDX-License-Identifier: Apache-2.0
// Corrections beside quantized weights.
#include "passes/low_rank_correction.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "calib/calibration_fixture.h"
#include "onnxpress/error.h"
#include "passes/run_pass.h"

namespace onnxpress {
namespace {

OptionValues int4(const std::string& method, std::int64_t rank, const char* type = "int8",
                  const char* storage = "matmul_nbits") {
  return {{"method", method},
          {"bits", std::int64_t{4}},
          {"group", std::int64_t{32}},
          {"symmetric", false},
          {"storage", std::string(storage)},
          {"low_rank_correction", rank},
          {"correction_type", std::string(type)}};
}

struct Outcome {
  Model model;
  PassPlan plan;
  PassResult result;
};

Outcome quantize(const OptionValues& options, bool dry = false) {
  Outcome run{test::small_gpt(), {}, {}};
  run.model.opsets = {{"", 21}};
  ThreadPool pool(2);
  const Calibration calibration{
      CalibrationSet(test::sentences(96, 60), input_specs(run.model.graph), 16), {}};
  PassContext context(run.model, pool, {}, dry ? nullptr : &calibration, dry);
  const auto pass = make_pass("quantize_weights", options);
  run.plan = pass->plan(context);
  run.result = pass->apply(run.plan, context);
  run.model.graph.remove_unused();
  run.model.graph.sort();
  run.model.graph.verify();
  return run;
}

double figure(const UnitFigures& figures, std::string_view name) {
  const auto at = std::ranges::find(figures, name, &std::pair<std::string, double>::first);
  return at == figures.end() ? NAN : at->second;
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

TEST(LowRankCorrection, IsKeptOnlyWhereHeldOutRowsSayThatItHelps) {
  for (const char* method : {"rtn", "gptq"}) {
    const Outcome run = quantize(int4(method, 8));
    std::size_t corrected = 0;
    for (const auto& [row, figures] : run.result.figures) {
      const double without = figure(figures, "uncorrected.output_error");
      if (std::isnan(without)) continue;
      const bool kept = run.result.ways.at(row).find("corrected with rank") != std::string::npos;
      corrected += kept ? 1 : 0;
      EXPECT_EQ(kept, figure(figures, "corrected.output_error") < 0.995 * without);
      if (kept) {
        EXPECT_EQ(figure(figures, "output_error"), figure(figures, "corrected.output_error"));
      }
      EXPECT_EQ(run.result.bytes_after.contains(row), !kept);
    }
    EXPECT_GT(corrected, 8U) << method;
    std::int64_t bytes = 0;
    for (std::size_t row = 0; row < run.plan.units.size(); ++row) {
      const auto actual = run.result.bytes_after.find(row);
      bytes += run.plan.units[row].bytes_before - (actual == run.result.bytes_after.end()
                                                       ? run.plan.units[row].bytes_after
                                                       : actual->second);
    }
    EXPECT_EQ(weight_bytes(test::small_gpt().graph) - weight_bytes(run.model.graph), bytes);
  }
}

TEST(LowRankCorrection, LowersTheErrorOfUnseenSentences) {
  const double rtn = change(quantize(int4("rtn", 0)).model);
  for (const char* type : {"int8", "float16", "float32"}) {
    for (const char* storage : {"matmul_nbits", "qdq"}) {
      EXPECT_LT(change(quantize(int4("rtn", 8, type, storage)).model), 0.9 * rtn)
          << type << " " << storage;
    }
  }
}

TEST(LowRankCorrection, DryRunsTakeItThatAllHelp) {
  const Outcome dry = quantize(int4("rtn", 8), true);
  EXPECT_EQ(weight_bytes(test::small_gpt().graph) - weight_bytes(dry.model.graph),
            dry.plan.bytes_before() - dry.plan.bytes_after());
  const Outcome real = quantize(int4("rtn", 8));
  EXPECT_LE(weight_bytes(real.model.graph), weight_bytes(dry.model.graph));
}

TEST(LowRankCorrection, NeedsData) {
  Model model = test::small_gpt();
  ThreadPool pool(1);
  PassContext context(model, pool);
  EXPECT_THROW((void)make_pass("quantize_weights", int4("rtn", 8))->plan(context), Error);
  EXPECT_THROW((void)make_pass("quantize_weights", int4("rtn", -8)), Error);
  EXPECT_THROW((void)make_pass("quantize_weights", int4("rtn", 8, "int4")), Error);
}

}  // namespace
}  // namespace onnxpress
