// SPDX-License-Identifier: Apache-2.0
// Calibration data as no one wishes for: channels that are never seen, constant, huge or repeated,
// rows that are not finite, hardly any rows.
#include <gmock/gmock.h>

#include "passes/odd_network.h"

namespace onnxpress {
namespace {

using test::noise;
using test::Way;
using test::WayResult;

constexpr std::int64_t kWidth = 64;

struct Odd {
  const char* name;
  std::int64_t rows;
  std::function<void(std::vector<float>&)> change;  // of [rows, kWidth]
  // Whether the data say enough of what the model will be given.
  bool telling = true;
};

std::vector<Odd> odd_data() {
  const auto channel = [](std::size_t c, float x) {
    return [=](std::vector<float>& values) {
      for (std::size_t i = c; i < values.size(); i += kWidth) values[i] = x;
    };
  };
  const auto all = [](float x) {
    return [x](std::vector<float>& values) { std::ranges::fill(values, x); };
  };
  return {
      {"all as usual", 200, [](std::vector<float>&) {}},
      {"a channel that is never seen", 200, channel(5, 0), false},
      {"a constant channel", 200, channel(5, 0.5F)},
      {"a channel 1000 times as large", 200,
       [](std::vector<float>& values) {
         for (std::size_t i = 5; i < values.size(); i += kWidth) values[i] *= 1000;
       },
       false},
      {"one value of 1e30", 200, [](std::vector<float>& values) { values[70] = 1e30F; }, false},
      {"one value of the largest float", 200,
       [](std::vector<float>& values) { values[70] = std::numeric_limits<float>::max(); }, false},
      {"subnormals", 200, all(1e-42F), false},
      {"nothing but zeros", 200, all(0), false},
      {"one and the same row", 200,
       [](std::vector<float>& values) {
         for (std::size_t i = kWidth; i < values.size(); ++i) values[i] = values[i - kWidth];
       },
       false},
      {"two rows", 2, [](std::vector<float>&) {}, false},
      {"one row", 1, [](std::vector<float>&) {}, false},
      {"rows with NaN and infinity", 200, [](std::vector<float>& values) {
         values[70] = std::numeric_limits<float>::quiet_NaN();
         values[900] = std::numeric_limits<float>::infinity();
       }}};
}

Dataset samples(const Odd& odd) {
  const auto usual = noise({odd.rows, kWidth}, 1, 11);
  std::vector<float> values(usual.as<float>().begin(), usual.as<float>().end());
  odd.change(values);
  return Dataset::of_arrays({{"x", Tensor::of<float>({odd.rows, kWidth}, std::move(values))}}, {});
}

TensorMap inputs() {
  return {{"x", noise({20, kWidth}, 1, 7)}};
}

TEST(OddActivations, NeverMakeScalesOrOutputsThatAreNotFinite) {
  const Model original = test::odd_network({}, false);
  const TensorMap expected = test::run_model(original, inputs());
  for (const Odd& odd : odd_data()) {
    for (const Way& way : test::ways()) {
      if (!way.data) continue;
      SCOPED_TRACE(way.name + ": " + odd.name);
      Model model = original;
      const WayResult run = test::run_way(model, way, samples(odd));
      test::expect_sound_constants(model);
      const TensorMap outputs = test::run_model(model, inputs());
      for (const double y : outputs.at("y").to_doubles()) ASSERT_TRUE(std::isfinite(y));
      const double difference = test::relative_difference(expected, outputs);
      // A range is one of the data: static quantization can't know more. Weights must not suffer.
      if (odd.telling || way.pass != "quantize_static") {
        EXPECT_LE(difference, 1.5 * way.tolerance);
      }
    }
  }
}

TEST(OddActivations, TooFewRowsForTheirChannelsGiveAWarning) {
  for (const Way& way : test::ways()) {
    if (way.pass != "quantize_weights" || !way.data) continue;
    Model model = test::odd_network({}, false);
    const WayResult few = test::run_way(model, way, samples({"", 60, [](std::vector<float>&) {}}));
    EXPECT_THAT(few.result.warnings, testing::Contains(testing::HasSubstr("256 or more")));
    Model other = test::odd_network({}, false);
    const WayResult many =
        test::run_way(other, way, samples({"", 400, [](std::vector<float>&) {}}));
    EXPECT_THAT(many.result.warnings, testing::IsEmpty());
  }
}

TEST(OddActivations, OfNoHelpLeaveWeightsAsRoundToNearestHasThem) {
  Model plain = test::odd_network({}, false);
  test::run_way(plain, test::ways()[0], samples({"", 1, [](std::vector<float>&) {}}));
  Model model = test::odd_network({}, false);
  test::run_way(model, test::ways()[1],
                samples({"", 200, [](auto& values) { std::ranges::fill(values, 0.0F); }}));
  for (const char* name : {"up_q", "up_scale"}) {
    EXPECT_EQ(*model.graph.constant(*model.graph.find_value(name)),
              *plain.graph.constant(*plain.graph.find_value(name)))
        << name;
  }
}

}  // namespace
}  // namespace onnxpress
