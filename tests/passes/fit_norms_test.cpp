// SPDX-License-Identifier: Apache-2.0
#include "passes/fit_norms.h"

#include <gmock/gmock.h>

#include <limits>

#include "calib/calibration_fixture.h"
#include "model/builder.h"
#include "onnxpress/error.h"
#include "passes/refit_pass.h"
#include "passes/run_pass.h"

namespace onnxpress {
namespace {

using testing::HasSubstr;

Calibration calibration(const Model& model, std::size_t samples = 200) {
  return {CalibrationSet(test::sentences(samples, 60), input_specs(model.graph), 32)};
}

Model quantized(Model model) {
  test::run_pass(
      model, "quantize_weights",
      {{"bits", std::int64_t{4}}, {"group", std::int64_t{32}}, {"method", std::string("rtn")}});
  return model;
}

struct Outcome {
  PassPlan plan;
  PassResult result;
};

Outcome fit(Model& model, const Model* original, const Calibration* data,
            const OptionValues& options = {}) {
  ThreadPool pool(2);
  PassContext context(model, pool, {}, data);
  const auto pass = make_pass("fit_norms", options);
  dynamic_cast<RefitPass&>(*pass).compare_with(original);
  Outcome outcome;
  outcome.plan = pass->plan(context);
  outcome.result = pass->apply(outcome.plan, context);
  model.graph.verify();
  return outcome;
}

// ‖logits - the original's‖ / ‖the original's‖ on sentences that no calibration saw.
double drift(const Model& original, const Model& model) {
  const CalibrationSet fresh(test::sentences(333, 59), input_specs(original.graph), 32);
  const Session a(original);
  const Session b(model);
  double signal = 0;
  double noise = 0;
  for (const std::size_t i : {fresh.batches() - 1, fresh.batches() - 2}) {
    const TensorMap wanted = a.run(fresh.batch(i).inputs);
    const TensorMap got = b.run(fresh.batch(i).inputs);
    for (const auto& [name, tensor] : wanted) {
      const auto x = tensor.to_doubles();
      const auto y = got.at(name).to_doubles();
      for (std::size_t k = 0; k < x.size(); ++k) {
        signal += x[k] * x[k];
        noise += (y[k] - x[k]) * (y[k] - x[k]);
      }
    }
  }
  return std::sqrt(noise / signal);
}

TEST(FitNorms, BringsAQuantizedModelCloserToTheOriginal) {
  const Model original = test::small_gpt();
  Model model = quantized(original);
  const double before = drift(original, model);
  const Calibration data = calibration(original);
  const Outcome outcome = fit(model, &original, &data);
  EXPECT_GE(outcome.result.changed, outcome.plan.units.size() / 2);
  for (const auto& [row, figures] : outcome.result.figures) {
    if (outcome.result.kept.contains(row)) continue;
    EXPECT_LT(figures[1].second, figures[0].second) << outcome.plan.units[row].label;
  }
  const double after = drift(original, model);
  EXPECT_LT(after, 0.99 * before);
  RecordProperty("before", std::to_string(before));
  RecordProperty("after", std::to_string(after));
}

TEST(FitNorms, LeavesAModelThatHasNotChangedAsItIs) {
  const Model original = test::small_gpt();
  Model model = original;
  const Calibration data = calibration(original);
  const Outcome outcome = fit(model, nullptr, &data);
  EXPECT_GT(outcome.plan.changes(), 0U);
  EXPECT_EQ(outcome.result.changed, 0U);
  EXPECT_EQ(outcome.result.kept.size(), outcome.plan.changes());
  EXPECT_EQ(drift(original, model), 0);
}

TEST(FitNorms, GivesTheSameBytesForAnyNumberOfThreads) {
  const Model original = test::small_gpt();
  std::vector<Model> results;
  for (const int threads : {1, 2}) {
    Model model = quantized(original);
    Calibration data = calibration(original, 80);
    data.session.threads = threads;
    fit(model, &original, &data);
    results.push_back(std::move(model));
  }
  for (const ValueId id : results[0].graph.values()) {
    const Tensor* a = results[0].graph.constant(id);
    if (a == nullptr) continue;
    EXPECT_EQ(*a, *results[1].graph.constant(id));
  }
}

TEST(FitNorms, KeepsTheScalesOfSmoothing) {
  const Model original = test::small_gpt();
  Model model = original;
  const Calibration data = calibration(original);
  test::run_pass(model, "smooth", {{"strength", 0.7}}, &data);
  const double before = drift(original, model);
  EXPECT_LT(before, 1e-5);
  fit(model, &original, &data);
  EXPECT_LT(drift(original, model), 2e-5);  // not undone in the norms alone
}

// A norm of every kind that is refused, and why.
TEST(FitNorms, SaysWhyANormStays) {
  test::Builder b;
  const ValueId x = b.state(16);
  const ValueId gain = b.tensor({16});
  ValueId y = b.op("LayerNormalization", {x, gain, b.tensor({16})});
  y = b.op("LayerNormalization", {y, gain, b.tensor({16})});
  y = b.rms_norm(y, 16, /*plus_one=*/true);
  y = b.op("LayerNormalization", {y, b.tensor({16})});
  b.output(y);
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 17}};
  model.graph = b.graph;
  Calibration data{CalibrationSet(Dataset::of_arrays({{"state", test::noise({40, 3, 16}, 1)}}, {}),
                                  input_specs(model.graph), 8)};
  const Outcome outcome = fit(model, nullptr, &data);
  ASSERT_EQ(outcome.plan.units.size(), 4U);
  EXPECT_THAT(outcome.plan.units[0].reason, HasSubstr("others share its gain"));
  EXPECT_THAT(outcome.plan.units[1].reason, HasSubstr("others share its gain"));
  EXPECT_THAT(outcome.plan.units[2].reason, HasSubstr("computed"));
  EXPECT_EQ(outcome.plan.units[3].decision, Decision::change);
}

TEST(FitNorms, RefusesValuesThatTheOriginalDoesNotHave) {
  const Model original = test::small_gpt();
  Model model = original;
  const auto view = TransformerView::of(model);
  const ValueId input = view.norms()[1].match.input;
  const ValueId copy = model.graph.add("Identity", {input}, {}, "moved");
  for (const NodeId id : view.norms()[1].match.nodes) {
    for (std::size_t i = 0; i < model.graph.node(id).inputs.size(); ++i) {
      if (model.graph.node(id).inputs[i] == input) model.graph.set_input(id, i, copy);
    }
  }
  model.graph.sort();
  const Calibration data = calibration(original, 40);
  const Outcome outcome = fit(model, &original, &data);
  EXPECT_THAT(outcome.plan.units[1].reason, HasSubstr("an earlier pass replaced"));
}

TEST(FitNorms, RefusesWhatItCanNotDo) {
  Model model = test::small_gpt();
  const auto fails = [&](const OptionValues& options, const Calibration* data,
                         const std::string& words) {
    try {
      fit(model, nullptr, data, options);
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
  };
  const Calibration data = calibration(model, 40);
  fails({}, nullptr, "refitted on samples");
  const Calibration nothing{};
  fails({}, &nothing, "refitted on samples");
  fails({{"ridge", -0.5}}, &data, "can't be negative");
  fails({{"ridge", std::numeric_limits<double>::quiet_NaN()}}, &data, "ridge");
}

}  // namespace
}  // namespace onnxpress
