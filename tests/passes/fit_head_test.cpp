// SPDX-License-Identifier: Apache-2.0
#include "passes/fit_head.h"

#include <gmock/gmock.h>

#include <limits>

#include "data/input_spec.h"
#include "onnxpress/error.h"
#include "passes/refit_pass.h"
#include "passes/run_pass.h"

namespace onnxpress {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kIn = 24;
constexpr std::int64_t kHidden = 32;
constexpr std::int64_t kClasses = 64;  // enough for the head to be quantized

// logits = Relu(x·U + b)·H + c; `transposed`: the head as a Gemm with transB.
Model network(bool transposed = false, bool bias = true) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 17}};
  Graph& g = model.graph;
  const ValueId x = g.add_input("x", DType::float32, Shape{{-1, "n"}, {kIn, ""}});
  const ValueId up = g.add_constant("up", test::noise({kIn, kHidden}, 0.4F, 1));
  const ValueId b = g.add_constant("up.bias", test::noise({kHidden}, 0.1F, 2));
  const ValueId c = g.add_constant("head.bias", test::noise({kClasses}, 0.3F, 4));
  ValueId h = g.add("MatMul", {x, up}, {}, "h");
  h = g.add("Add", {h, b}, {}, "h_biased");
  h = g.add("Relu", {h}, {}, "features");
  ValueId y = kNoValue;
  if (transposed) {
    const ValueId w = g.add_constant("head", test::noise({kClasses, kHidden}, 0.5F, 3));
    y = bias ? g.add("Gemm", {h, w, c}, {{"transB", std::int64_t{1}}}, "logits")
             : g.add("Gemm", {h, w}, {{"transB", std::int64_t{1}}}, "logits");
  } else {
    const ValueId w = g.add_constant("head", test::noise({kHidden, kClasses}, 0.5F, 3));
    y = g.add("MatMul", {h, w}, {}, bias ? "product" : "logits");
    if (bias) y = g.add("Add", {y, c}, {}, "logits");
  }
  g.mutable_value(y).dtype = DType::float32;
  g.add_output(y);
  g.remove_unused();
  return model;
}

Tensor samples(std::int64_t count, std::uint32_t seed) {
  return test::noise({count, kIn}, 1, seed);
}

Calibration calibration(const Model& model, std::int64_t count = 400) {
  return {CalibrationSet(Dataset::of_arrays({{"x", samples(count, 11)}}, {}),
                         input_specs(model.graph), 32)};
}

// The weights below the head, rounded as if to a few bits.
Model damaged(Model model) {
  const ValueId up = *model.graph.find_value("up");
  const auto values = model.graph.constant(up)->as<float>();
  std::vector<float> rounded(values.begin(), values.end());
  for (float& value : rounded) value = std::round(value / 0.2F) * 0.2F;
  model.graph.set_constant(up, Tensor::of<float>({kIn, kHidden}, std::move(rounded)));
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
  const auto pass = make_pass("fit_head", options);
  dynamic_cast<RefitPass&>(*pass).compare_with(original);
  Outcome outcome;
  outcome.plan = pass->plan(context);
  outcome.result = pass->apply(outcome.plan, context);
  model.graph.verify();
  return outcome;
}

double drift(const Model& original, const Model& model) {
  const TensorMap x{{"x", samples(500, 77)}};
  const auto a = test::run_model(original, x).at("logits").to_doubles();
  const auto b = test::run_model(model, x).at("logits").to_doubles();
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    signal += a[i] * a[i];
    noise += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return std::sqrt(noise / signal);
}

TEST(FitHead, BringsLogitsCloserToTheOriginal) {
  for (const bool transposed : {false, true}) {
    for (const bool bias : {true, false}) {
      SCOPED_TRACE(testing::Message() << "transposed " << transposed << ", bias " << bias);
      const Model original = network(transposed, bias);
      Model model = damaged(original);
      const double before = drift(original, model);
      const Calibration data = calibration(original);
      const Outcome outcome = fit(model, &original, &data);
      ASSERT_EQ(outcome.result.changed, 1U);
      EXPECT_LT(drift(original, model), 0.9 * before);
      const UnitFigures& figures = outcome.result.figures.at(0);
      ASSERT_EQ(figures.size(), 4U);
      EXPECT_LT(figures[1].second, figures[0].second);  // error
      EXPECT_LT(figures[3].second, figures[2].second);  // KL
      EXPECT_NEAR(figures[0].second, before, 0.2 * before);
    }
  }
}

TEST(FitHead, KeepsTheOldWeightsWhereNothingChanged) {
  const Model original = network();
  Model model = original;
  const Calibration data = calibration(original);
  const Outcome outcome = fit(model, &original, &data);
  EXPECT_EQ(outcome.result.changed, 0U);
  EXPECT_EQ(drift(original, model), 0);
}

TEST(FitHead, KeepsTheOldWeightsWhereFewSamplesSayNothing) {
  const Model original = network();
  Model model = damaged(original);
  const double before = drift(original, model);
  const Calibration data = calibration(original, 12);  // far fewer than features
  fit(model, &original, &data);
  EXPECT_LT(drift(original, model), 1.05 * before);
}

TEST(FitHead, SaysWhyAHeadStays) {
  const Model original = network();
  const Calibration data = calibration(original);
  Model quantized = original;
  test::run_pass(quantized, "quantize_weights",
                 {{"min_saving", 0.0}, {"method", std::string("rtn")}});
  EXPECT_THAT(fit(quantized, &original, &data).plan.units[0].reason, HasSubstr("stored as int8"));

  Model half = original;
  test::run_pass(half, "cast_fp16");
  EXPECT_EQ(fit(half, &original, &data).plan.changes(), 0U);

  Model other = original;
  const ValueId head = *other.graph.find_value("head");
  other.graph.set_constant(head, test::noise({kHidden, kClasses}, 0.5F, 30));
  EXPECT_THAT(fit(other, &original, &data).plan.units[0].reason,
              HasSubstr("an earlier pass changed its weights"));
}

TEST(FitHead, RefusesWhatItCanNotDo) {
  Model model = network();
  const Calibration data = calibration(model);
  const auto fails = [&](const OptionValues& options, const Calibration* given,
                         const std::string& words) {
    try {
      fit(model, nullptr, given, options);
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
  };
  fails({}, nullptr, "refitted on samples");
  fails({{"ridge", 0.0}}, &data, "above 0");
  fails({{"ridge", -2.0}}, &data, "ridge");
  fails({{"ridge", std::numeric_limits<double>::quiet_NaN()}}, &data, "ridge");
  Model none;
  none.ir_version = 8;
  none.opsets = {{"", 17}};
  const ValueId x = none.graph.add_input("x", DType::float32, Shape{{-1, "n"}, {kIn, ""}});
  none.graph.add_output(none.graph.add("Relu", {x}, {}, "y"));
  const Calibration its = calibration(none);
  EXPECT_THAT(fit(none, nullptr, &its).plan.warnings, testing::Contains(HasSubstr("no head")));
}

}  // namespace
}  // namespace onnxpress
