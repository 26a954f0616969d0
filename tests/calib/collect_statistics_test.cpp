// SPDX-License-Identifier: Apache-2.0
#include "calib/collect_statistics.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "calibration_fixture.h"
#include "onnxpress/error.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

Dataset points(std::vector<float> values, std::int64_t width) {
  const auto rows = static_cast<std::int64_t>(values.size()) / width;
  return Dataset::of_arrays({{"x", Tensor::of<float>({rows, width}, std::move(values))}}, {},
                            "points");
}

std::map<std::string, TensorStatistics> collect(const Model& model, const CalibrationSet& set,
                                                const CollectionOptions& options) {
  std::map<std::string, TensorStatistics> found;
  collect_statistics(model, calibrated_values(model.graph, TransformerView::of(model)), set,
                     options, [&](ValueId id, TensorStatistics&& statistics) {
                       found.emplace(model.graph.value(id).name, std::move(statistics));
                     });
  return found;
}

constexpr const char* kTwoProducts = R"(
  g (float[n,2] x) => (float[n,2] y)
  <float[2,2] v = {1, 2, 3, 4}, float[2,2] w = {1, 0, 0, 1}>
  { h = MatMul(x, v)  r = Relu(h)  y = MatMul(r, w) })";

TEST(CollectStatistics, TellsWhatTheProductsRead) {
  const Model model = test::parse(kTwoProducts);
  const CalibrationSet set(points({1, -1, 2, 0, -3, 5, 0, 0, 1, 1}, 2), input_specs(model.graph),
                           2);
  const auto found = collect(model, set, {.session = {.threads = 2}});
  ASSERT_EQ(found.size(), 2U);
  const TensorStatistics& x = found.at("x");
  EXPECT_EQ(x.rows, 5);
  EXPECT_THAT(x.channels.min, ElementsAre(-3, -1));
  EXPECT_THAT(x.channels.max, ElementsAre(2, 5));
  EXPECT_THAT(x.channels.abs_max(), ElementsAre(3, 5));
  EXPECT_THAT(x.mean(), ElementsAre(0.2, 1));
  EXPECT_THAT(x.mean_abs(), ElementsAre(1.4, 1.4));
  EXPECT_EQ(x.range(), (Range{-3, 5}));
  const Gram gram = x.gram();
  EXPECT_THAT(gram.xx, ElementsAre(15, -15, -15, 27));
  EXPECT_EQ(gram.rows, 5);
  EXPECT_EQ(x.train->rows + x.held_out->rows, 5);
  EXPECT_EQ(x.histogram->total(), 10);
  // h = (-2, -2), (2, 4), (12, 14), (0, 0), (4, 6)
  EXPECT_EQ(found.at("r").range(), (Range{0, 14}));
}

TEST(CollectStatistics, LeavesOutRowsThatCannotBeSummed) {
  const Model model = test::parse(R"(
    g (float[n,1] x) => (float[n,1] y) <float[1,1] w = {1}> { h = Sqrt(x)  y = MatMul(h, w) })");
  const CalibrationSet set(points({4, -1, 9, 1e20F}, 1), input_specs(model.graph), 8);
  const auto found = collect(model, set, {.session = {.threads = 1}});
  const TensorStatistics& h = found.at("h");
  EXPECT_EQ(h.rows, 2);
  EXPECT_EQ(h.skipped_rows, 2);  // NaN, and 1e10
  EXPECT_EQ(h.range(), (Range{2, 3}));
}

// Padding does not count: a sentence alone in its batch gives what it gives beside longer ones.
TEST(CollectStatistics, PaddingLeavesNoTrace) {
  const Model model = test::small_gpt();
  CollectionOptions options{.session = {.threads = 2}};
  options.request.gram = false;
  const auto padded = collect(
      model, CalibrationSet(test::sentences(40, 60), input_specs(model.graph), 40), options);
  const auto alone =
      collect(model, CalibrationSet(test::sentences(40, 60), input_specs(model.graph), 1), options);
  ASSERT_GT(padded.size(), 8U);
  for (const auto& [name, expected] : alone) {
    const TensorStatistics& got = padded.at(name);
    EXPECT_EQ(got.rows, expected.rows) << name;
    const auto a = got.mean_abs(), b = expected.mean_abs();
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5 * (1 + b[i])) << name;
  }
}

TEST(CollectStatistics, ThreadsChangeNothing) {
  const Model model = test::small_gpt();
  test::CalibrationCase plain{.samples = 60};
  plain.options.session.threads = 1;
  test::CalibrationCase other = plain;
  other.options.session.threads = 2;
  EXPECT_TRUE(test::calibration_bytes(model, plain) == test::calibration_bytes(model, other));
}

TEST(CollectStatistics, StatisticsOfAnEditedGraphAreItsOwn) {
  const Model original = test::parse(kTwoProducts);
  const CalibrationSet set(points({1, -1, 2, 0, -3, 5}, 2), input_specs(original.graph), 2);
  Model edited = original;
  const ValueId v = edited.graph.find_value("v").value(), r = edited.graph.find_value("r").value();
  StagedRun run(original, set, {.session = {.threads = 1}});
  ThreadPool pool(1);
  const ValueId x = edited.graph.find_value("x").value();
  const auto before = observe_statistics(run, edited, std::array{x}, {}, pool);
  EXPECT_EQ(before.at(x).range(), (Range{-3, 5}));
  edited.graph.set_constant(v, Tensor::of<float>({2, 2}, {10, 20, 30, 40}));
  const auto after = observe_statistics(run, edited, std::array{r}, {.moving_range = true}, pool);
  EXPECT_EQ(after.at(r).range(), (Range{0, 140}));
  EXPECT_EQ(after.at(r).moving->batches(), 2);
}

}  // namespace
}  // namespace onnxpress
