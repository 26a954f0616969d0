// SPDX-License-Identifier: Apache-2.0
#include "calib/calibration_set.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "onnxpress/error.h"

namespace onnxpress {
namespace {

using ::testing::ElementsAre;

Dataset points(std::vector<float> values) {
  const auto rows = static_cast<std::int64_t>(values.size());
  return Dataset::of_arrays({{"x", Tensor::of<float>({rows, 1}, std::move(values))}}, {}, "points");
}

std::vector<InputSpec> x_input() {
  return {{"x", DType::float32, {{-1, "n"}, {1, ""}}}};
}

Dataset texts(const std::vector<std::size_t>& lengths) {
  std::vector<TextSample> samples;
  for (const std::size_t length : lengths) {
    samples.push_back({std::vector<std::int32_t>(length, 1), {}, -1});
  }
  return Dataset::of_texts(std::move(samples), {}, 0, "texts");
}

std::vector<InputSpec> id_input() {
  return {{"input_ids", DType::int64, {{-1, "n"}, {-1, "s"}}}};
}

std::string code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return std::string(error.code());
  }
  return "none";
}

TEST(CalibrationSet, BatchesAreSortedByLengthWithinAChunk) {
  const CalibrationSet set(texts({5, 2, 9, 2}), id_input(), 2);
  ASSERT_EQ(set.batches(), 2U);
  EXPECT_THAT(set.batch(0).samples, ElementsAre(1U, 3U));
  EXPECT_THAT(set.batch(1).samples, ElementsAre(0U, 2U));
  EXPECT_EQ(set.samples(), 4);
  EXPECT_EQ(set.tokens(), 18);
}

TEST(CalibrationSet, ShardsRunTheBatchesOfTheWhole) {
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < 3 * kChunkSamples + 7; ++i) lengths.push_back(1 + i * 7 % 13);
  const CalibrationSet whole(texts(lengths), id_input(), 48);
  std::vector<std::vector<std::size_t>> expected, got;
  for (std::size_t i = 0; i < whole.batches(); ++i) expected.push_back(whole.batch(i).samples);
  for (std::size_t part = 1; part <= 3; ++part) {
    const CalibrationSet shard(texts(lengths), id_input(), 48, {part, 3});
    for (std::size_t i = 0; i < shard.batches(); ++i) got.push_back(shard.batch(i).samples);
  }
  EXPECT_EQ(got, expected);
}

TEST(CalibrationSet, SamplesWithNanOrInfinityAreLeftOut) {
  const CalibrationSet set(points({1, NAN, 3, INFINITY}), x_input(), 8);
  EXPECT_EQ(set.skipped_samples(), 2);
  EXPECT_EQ(set.samples(), 2);
  EXPECT_THAT(set.batch(0).samples, ElementsAre(0U, 2U));
}

TEST(CalibrationSet, NothingLeftIsAnError) {
  EXPECT_EQ(code_of([] { CalibrationSet(points({NAN, INFINITY}), x_input()); }), "E0501");
  EXPECT_EQ(code_of([] { CalibrationSet(texts({}), id_input()); }), "E0502");
  EXPECT_EQ(code_of([] { CalibrationSet(points({1}), x_input(), 1, {2, 2}); }), "E0003");
  EXPECT_EQ(code_of([] { CalibrationSet(points({1}), x_input(), 1, {0, 1}); }), "E0003");
}

TEST(CalibrationSet, AQuarterIsHeldOut) {
  std::size_t held_out = 0;
  for (std::size_t i = 0; i < 10000; ++i) held_out += CalibrationSet::held_out(i) ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(held_out), 2500, 130);  // three standard deviations
  EXPECT_FALSE(CalibrationSet::held_out(0));
}

}  // namespace
}  // namespace onnxpress
