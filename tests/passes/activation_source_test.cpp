// SPDX-License-Identifier: Apache-2.0
#include "passes/activation_source.h"

#include <gmock/gmock.h>

#include <fstream>

#include "calib/calibration_fixture.h"
#include "onnxpress/error.h"
#include "passes/run_pass.h"
#include "support/temporary_folder.h"

namespace onnxpress {
namespace {

constexpr std::size_t kSamples = 300;

CalibrationFile calibration_file(const Model& model, const StatisticsRequest& request) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "model.calib";
  test::CalibrationCase options{.samples = kSamples};
  options.options.request = request;
  std::ofstream(path, std::ios::binary) << test::calibration_bytes(model, options);
  return CalibrationFile::open(path);  // stays mapped
}

Calibration from_file(const Model& model,
                      const StatisticsRequest& request = {.reservoir_rows = 256}) {
  return {{}, {}, calibration_file(model, request)};
}

Calibration from_data(const Model& model) {
  return {CalibrationSet(test::sentences(kSamples, 60), input_specs(model.graph), 32)};
}

PassResult run(Model& model, std::string_view name, const Calibration& calibration,
               OriginalStatistics* original = nullptr, const OptionValues& options = {}) {
  ThreadPool pool(2);
  PassContext context(model, pool, {}, &calibration, false, original);
  const auto pass = make_pass(name, options);
  PassResult result = pass->apply(pass->plan(context), context);
  model.graph.remove_unused();
  model.graph.sort();
  model.graph.verify();
  return result;
}

double figure(const UnitFigures& figures, std::string_view name) {
  for (const auto& [key, value] : figures) {
    if (key == name) return value;
  }
  ADD_FAILURE() << "there is no " << name;
  return 0;
}

// How far the Grams of two sources are apart, over the trace.
double difference(const Gram& a, const Gram& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.size, b.size);
  double worst = 0;
  double trace = 0;
  for (std::int64_t i = 0; i < a.size; ++i) {
    trace += a.at(i, i);
    for (std::int64_t j = 0; j < a.size; ++j) {
      worst = std::max(worst, std::abs(a.at(i, j) - b.at(i, j)));
    }
  }
  return worst / trace;
}

TEST(ActivationSource, AFileKnowsWhatARunSees) {
  Model model = test::small_gpt();
  ThreadPool pool(2);
  const Calibration data = from_data(model);
  const Calibration file = from_file(model);
  PassContext with_data(model, pool, {}, &data);
  PassContext with_file(model, pool, {}, &file);
  ActivationSource a(with_data, [] { return 0.0; });
  ActivationSource b(with_file, [] { return 0.0; });
  for (const ValueId value : calibrated_values(model.graph, with_data.view())) {
    const StageMoments seen = a.moments(value);
    const StageMoments known = b.moments(value);
    EXPECT_LT(difference(seen.train.edited, known.train.edited), 1e-5);
    EXPECT_LT(difference(seen.held_out.edited, known.held_out.edited), 1e-5);
    EXPECT_EQ(known.train.cross.xy, known.train.edited.xx);
  }
}

TEST(ActivationSource, AFileFollowsTheScalesThatSmoothingMoves) {
  Model model = test::small_gpt();
  const Calibration file = from_file(model);
  OriginalStatistics original(*file.file);
  const Model before = model;
  EXPECT_GT(run(model, "smooth", file, &original, {{"insert_mul", true}}).changed, 0U);
  ThreadPool pool(2);
  const Calibration data = from_data(model);
  PassContext with_data(model, pool, {}, &data);
  PassContext with_file(model, pool, {}, &file, false, &original);
  ActivationSource a(with_data, [] { return 0.0; });
  ActivationSource b(with_file, [] { return 0.0; });
  for (const ValueId value : calibrated_values(model.graph, with_data.view())) {
    const SmoothingInput x = b.input(value);
    EXPECT_LT(difference(a.moments(value).train.edited, b.moments(value).train.edited), 1e-4)
        << model.graph.value(value).name;
    ASSERT_GT(x.channels, 0);
    for (std::int64_t c = 0; c < x.channels; ++c) {
      const auto at = static_cast<std::size_t>(c);
      EXPECT_LE(x.batch_min[at] * 1.0001F, x.train(0, c));
      EXPECT_GE(x.batch_max[at] * 1.0001F, x.train(0, c));
    }
  }
}

TEST(ActivationSource, GptqOnAFileStartsAsGptqOnData) {
  const Model before = test::small_gpt();
  const OptionValues options{{"bits", std::int64_t{4}}, {"group", std::int64_t{32}}};
  Model on_data = before;
  const PassResult seen = run(on_data, "quantize_weights", from_data(before), nullptr, options);
  Model on_file = before;
  const PassResult known = run(on_file, "quantize_weights", from_file(before), nullptr, options);
  ASSERT_EQ(seen.changed, known.changed);
  const auto& first = seen.figures.begin()->second;
  const auto& same = known.figures.begin()->second;
  EXPECT_NEAR(figure(same, "rtn.output_error"), figure(first, "rtn.output_error"), 1e-6);
  EXPECT_NEAR(figure(same, "output_error"), figure(first, "output_error"), 1e-4);
  double gain = 0;
  for (const auto& [row, figures] : known.figures) {
    gain += figure(figures, "output_error") / figure(figures, "rtn.output_error");
    EXPECT_LT(figure(figures, "before.output_error"), 1e-6);
    EXPECT_THAT(known.ways.at(row), testing::HasSubstr("calibration file"));
  }
  EXPECT_LT(gain / static_cast<double>(known.figures.size()), 0.75);
}

TEST(ActivationSource, StaticInt8OnAFileStaysCloseToTheOriginal) {
  const Model before = test::small_gpt();
  const CalibrationSet set(test::sentences(128, 60), input_specs(before.graph), 128);
  Model model = before;
  EXPECT_GT(run(model, "quantize_static", from_file(before)).changed, 0U);
  EXPECT_LT(test::relative_difference(test::run_model(before, set.batch(0).inputs),
                                      test::run_model(model, set.batch(0).inputs)),
            0.1);  // it is 0.073
}

TEST(ActivationSource, SaysWhatAFileLacks) {
  Model model = test::small_gpt();
  const Calibration no_gram = from_file(model, {.gram = false, .reservoir_rows = 16});
  const Calibration no_rows = from_file(model, {});
  const auto hint = [&](std::string_view pass, const Calibration& calibration) {
    try {
      run(model, pass, calibration);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "E0006");
      return error.hint();
    }
    return std::string();
  };
  EXPECT_THAT(hint("quantize_weights", no_gram), testing::HasSubstr("--no-gram"));
  EXPECT_THAT(hint("quantize_static", no_gram), testing::HasSubstr("--no-gram"));
  EXPECT_THAT(hint("quantize_static", no_rows), testing::HasSubstr("--keep-rows"));
  ThreadPool pool(1);
  PassContext context(model, pool, {}, &no_rows);
  const PassPlan plan = make_pass("smooth", {})->plan(context);
  EXPECT_EQ(plan.changes(), 0U);
  EXPECT_THAT(plan.warnings, testing::ElementsAre(testing::HasSubstr("--keep-rows")));
}

}  // namespace
}  // namespace onnxpress
