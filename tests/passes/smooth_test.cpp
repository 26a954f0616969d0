// SPDX-License-Identifier: Apache-2.0
#include "passes/smooth.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "calib/calibration_fixture.h"
#include "passes/run_pass.h"
#include "passes/smoothing_inputs.h"

namespace onnxpress {
namespace {

struct Smoothed {
  PassPlan plan;
  PassResult result;
};

// Smooths with 48 made-up sentences.
Smoothed smooth(Model& model, const OptionValues& options = {}) {
  ThreadPool pool(2);
  const Calibration calibration{
      CalibrationSet(test::sentences(48, 60), input_specs(model.graph), 16), {}};
  PassContext context(model, pool, {}, &calibration);
  const auto pass = make_pass("smooth", options);
  Smoothed run;
  run.plan = pass->plan(context);
  run.result = pass->apply(run.plan, context);
  model.graph.remove_unused();
  model.graph.sort();
  model.graph.verify();
  return run;
}

std::size_t node_count(const Model& model) {
  return model.graph.nodes().size();
}

TensorMap outputs(const Model& model) {
  const CalibrationSet set(test::sentences(6, 60), input_specs(model.graph), 6);
  return test::run_model(model, set.batch(0).inputs);
}

TEST(Smooth, EveryFamilyComputesTheSame) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  for (const char* name : {"bert", "gpt2", "llama", "opt", "gpt-neox", "qwen2"}) {
    const Model before = read_model(shared / fmt::format("models/zoo/{}-legacy.onnx", name));
    for (const bool insert_mul : {false, true}) {
      Model model = before;
      const Smoothed run = smooth(model, {{"insert_mul", insert_mul}});
      EXPECT_TRUE(run.result.changed > 0 || !insert_mul) << name;
      EXPECT_LT(test::relative_difference(outputs(before), outputs(model)), 1e-5)
          << name << (insert_mul ? " with" : " without") << " Muls";
    }
  }
}

TEST(Smooth, FoldsIntoThePreNormsOfAGpt) {
  const Model before = test::small_gpt();
  Model model = before;
  const Smoothed run = smooth(model);
  EXPECT_GT(run.result.changed, 0U);
  EXPECT_EQ(node_count(model), node_count(before));
  EXPECT_LT(test::relative_difference(outputs(before), outputs(model)), 1e-5);
  EXPECT_FALSE(test::identical(outputs(before), outputs(model)));
}

TEST(Smooth, SaysWhereScalesWentAndWhatTheyGain) {
  Model model = test::small_gpt();
  const Smoothed run = smooth(model);
  std::size_t moved = 0;
  for (const auto& [unit, way] : run.result.ways) {
    if (run.result.kept.contains(unit)) continue;
    ++moved;
    EXPECT_THAT(way, testing::StartsWith("scales in "));
    const auto& figures = run.result.figures.at(unit);
    ASSERT_EQ(figures.size(), 2U);
    EXPECT_LT(figures[1].second, figures[0].second);
  }
  EXPECT_EQ(moved, run.result.changed);
}

TEST(Smooth, AwqWithEveryScaleOneLeavesRoundToNearestAsItIs) {
  const OptionValues rtn{{"method", std::string("rtn")},
                         {"bits", std::int64_t{4}},
                         {"group", std::int64_t{32}},
                         {"symmetric", false}};
  Model plain = test::small_gpt();
  test::run_pass(plain, "quantize_weights", rtn);
  Model model = test::small_gpt();
  const Smoothed run =
      smooth(model, {{"method", std::string("awq")}, {"strength", 0.0}, {"insert_mul", true}});
  EXPECT_EQ(run.result.changed, 0U);
  for (const auto& [unit, figures] : run.result.figures) {
    EXPECT_EQ(figures[0].second, figures[1].second) << unit;
  }
  test::run_pass(model, "quantize_weights", rtn);
  EXPECT_EQ(to_text(model.graph), to_text(plain.graph));
  for (const ValueId id : plain.graph.values()) {
    const Tensor* tensor = plain.graph.constant(id);
    if (tensor == nullptr) continue;
    EXPECT_EQ(*model.graph.constant(*model.graph.find_value(plain.graph.value(id).name)), *tensor);
  }
}

TEST(Smooth, KnowsWithoutDataWhatNormsPutOut) {
  for (const bool insert_mul : {false, true}) {
    const Model before = test::small_gpt();
    Model model = before;
    const PassPlan plan = test::run_pass(model, "smooth", {{"insert_mul", insert_mul}});
    EXPECT_GT(plan.changes(), 0U);
    EXPECT_LT(test::relative_difference(outputs(before), outputs(model)), 1e-5);
    EXPECT_FALSE(test::identical(outputs(before), outputs(model)));
    for (const UnitPlan& unit : plan.units) {
      if (unit.decision == Decision::change) {
        EXPECT_THAT(unit.reason,
                    testing::HasSubstr(insert_mul ? "" : "scales in m/transformer/h."));
      }
    }
  }
}

TEST(Smooth, AwqDoesNothingWithoutData) {
  Model model = test::small_gpt();
  const PassPlan plan = test::run_pass(model, "smooth", {{"method", std::string("awq")}});
  EXPECT_EQ(plan.changes(), 0U);
  EXPECT_THAT(plan.units[0].reason, testing::AnyOf("needs data", testing::HasSubstr("no ")));
}

TEST(Smooth, TakesChannelsOfANormForNormalNumbers) {
  const Tensor gain = Tensor::of<float>({3}, {1, -2, 0.5F});
  const Tensor shift = Tensor::of<float>({3}, {0, 1, -3});
  const std::vector<std::int32_t> columns{2, 0, 1, 1};
  const SmoothingInput input = expected_of_norm(&gain, &shift, columns);
  ASSERT_EQ(input.channels, 4);
  EXPECT_THAT(input.energy, testing::ElementsAre(9.25, 1, 5, 5));
  EXPECT_THAT(input.batch_min, testing::ElementsAre(-5, -4, -7, -7));
  EXPECT_THAT(input.batch_max, testing::ElementsAre(-1, 4, 9, 9));
  EXPECT_EQ(input.train.rows, 0);
  const SmoothingInput plain = expected_of_norm(nullptr, nullptr, columns);
  EXPECT_THAT(plain.energy, testing::Each(1));
}

}  // namespace
}  // namespace onnxpress
