// SPDX-License-Identifier: Apache-2.0
#include "passes/prune_weights.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "calib/calibration_fixture.h"
#include "onnxpress/error.h"
#include "passes/linear_units.h"
#include "passes/run_pass.h"

namespace onnxpress {
namespace {

using testing::Contains;
using testing::HasSubstr;

struct Outcome {
  Model model;
  PassPlan plan;
  PassResult result;
};

Outcome prune(const OptionValues& options, bool data = true, bool dry = false) {
  Outcome run{test::small_gpt(), {}, {}};
  ThreadPool pool(2);
  const Calibration calibration{
      CalibrationSet(test::sentences(200, 60), input_specs(run.model.graph), 16), {}};
  PassContext context(run.model, pool, {}, data ? &calibration : nullptr, dry);
  const auto pass = make_pass("prune_weights", options);
  run.plan = pass->plan(context);
  run.result = pass->apply(run.plan, context);
  run.model.graph.remove_unused();
  run.model.graph.sort();
  run.model.graph.verify();
  return run;
}

OptionValues options(const char* method, const char* pattern = "unstructured") {
  return {{"method", std::string(method)}, {"pattern", std::string(pattern)}};
}

double change(const Model& model) {
  const CalibrationSet set(test::sentences(400, 60), input_specs(model.graph), 400);
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

// The weights of the units that were changed, [in, out].
std::vector<Matrix> pruned_weights(Outcome& run) {
  const TransformerView view = TransformerView::of(run.model);
  std::vector<Matrix> weights;
  for (std::size_t row = 0; row < run.plan.units.size(); ++row) {
    if (run.plan.units[row].decision != Decision::change) continue;
    const LinearUnit& unit = view.units()[static_cast<std::size_t>(run.plan.units[row].target)];
    weights.push_back(
        to_matrix(*weight_ref(*run.model.graph.constant(unit.weight), matrix_layout(unit.layout))));
  }
  return weights;
}

TEST(PruneWeights, LeavesTwoOfEachFourWeightsAlongTheInput) {
  for (const char* method : {"magnitude", "wanda", "sparsegpt"}) {
    Outcome run = prune(options(method, "2:4"));
    EXPECT_GT(run.result.changed, 8U);
    for (const Matrix& w : pruned_weights(run)) {
      for (std::int64_t o = 0; o < w.columns; ++o) {
        for (std::int64_t i = 0; i + 4 <= w.rows; i += 4) {
          int zeros = 0;
          for (std::int64_t j = i; j < i + 4; ++j) zeros += w(j, o) == 0 ? 1 : 0;
          ASSERT_EQ(zeros, 2) << method;
        }
      }
    }
  }
}

TEST(PruneWeights, TakesTheShareThatIsAskedFor) {
  for (const char* method : {"magnitude", "wanda", "sparsegpt"}) {
    OptionValues values = options(method);
    values["sparsity"] = 0.3;
    Outcome run = prune(values);
    for (const Matrix& w : pruned_weights(run)) {
      const auto zeros = static_cast<double>(std::ranges::count(w.values, 0.0F));
      EXPECT_NEAR(zeros / static_cast<double>(w.values.size()), 0.3, 0.01) << method;
    }
  }
}

TEST(PruneWeights, CompensationLosesLessOnUnseenSentences) {
  for (const char* pattern : {"2:4", "unstructured"}) {
    const double magnitude = change(prune(options("magnitude", pattern), false).model);
    EXPECT_LT(change(prune(options("sparsegpt", pattern)).model), 0.75 * magnitude) << pattern;
  }
}

TEST(PruneWeights, SaysThatNeitherFileNorProductsShrink) {
  const Outcome run = prune(options("auto"));
  EXPECT_THAT(run.result.warnings, Contains(HasSubstr("the file stays as large")));
  EXPECT_EQ(weight_bytes(run.model.graph), weight_bytes(test::small_gpt().graph));
  EXPECT_EQ(run.plan.bytes_after(), run.plan.bytes_before());
  double before = 0;
  double after = 0;
  for (const auto& [row, figures] : run.result.figures) {
    for (const auto& [name, value] : figures) {
      if (name == "archive_bytes.before") before += value;
      if (name == "archive_bytes.after") after += value;
    }
  }
  EXPECT_NEAR(after / before, 0.62, 0.06);  // half zeros
}

TEST(PruneWeights, WithoutDataTakesMagnitudeAndRefusesOtherMethods) {
  Model model = test::small_gpt();
  const PassPlan plan = test::run_pass(model, "prune_weights");
  EXPECT_GT(plan.changes(), 8U);
  EXPECT_THROW((void)prune(options("wanda"), false), Error);
  EXPECT_THROW((void)prune(options("sparsegpt"), false), Error);
  EXPECT_EQ(prune(options("sparsegpt"), false, true).result.changed, plan.changes());  // dry
}

TEST(PruneWeights, ASecondTimeChangesNothing) {
  Model once = test::small_gpt();
  test::run_pass(once, "prune_weights", options("magnitude", "2:4"));
  Model twice = once;
  test::run_pass(twice, "prune_weights", options("magnitude", "2:4"));
  const CalibrationSet set(test::sentences(8, 60), input_specs(once.graph), 8);
  const TensorMap inputs = set.batch(0).inputs;
  EXPECT_TRUE(test::identical(test::run_model(once, inputs), test::run_model(twice, inputs)));
}

TEST(PruneWeights, RefusesOptionsOutOfBounds) {
  for (const double sparsity : {0.0, 1.0, -0.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW((void)make_pass("prune_weights", {{"sparsity", sparsity}}), Error) << sparsity;
  }
  for (const char* pattern : {"4:2", "0:4", "4:4", "2", "2:65", "dense", ""}) {
    EXPECT_THROW((void)make_pass("prune_weights", options("auto", pattern)), Error) << pattern;
  }
}

}  // namespace
}  // namespace onnxpress
