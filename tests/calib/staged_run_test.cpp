// SPDX-License-Identifier: Apache-2.0
#include "calib/staged_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "data/input_spec.h"
#include "io/reader.h"
#include "model/transformer_view.h"
#include "onnxpress/error.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

// Sentences of made-up tokens, of several lengths.
Dataset sentences(std::size_t count, std::int32_t vocabulary) {
  std::vector<TextSample> texts;
  for (std::size_t i = 0; i < count; ++i) {
    TextSample text;
    for (std::size_t t = 0; t < 4 + i * 5 % 11; ++t) {
      text.ids.push_back(
          static_cast<std::int32_t>((i * 131 + t * 37) % static_cast<std::size_t>(vocabulary)));
    }
    texts.push_back(std::move(text));
  }
  return Dataset::of_texts(std::move(texts), {});
}

std::vector<ValueId> unit_inputs(const Model& model) {
  std::vector<ValueId> inputs;
  const TransformerView view = TransformerView::of(model);
  for (const LinearUnit& unit : view.units()) {
    if (std::ranges::find(inputs, unit.input) == inputs.end()) inputs.push_back(unit.input);
  }
  return inputs;
}

using Seen = std::map<std::pair<ValueId, std::size_t>, std::vector<double>>;

Seen in_stages(const Model& model, const CalibrationSet& set, const std::vector<ValueId>& values,
               std::size_t memory_bound, StagedRunFigures* figures = nullptr) {
  Seen seen;
  StagedRun run(model, set,
                {.session = {.threads = 2}, .pair = true, .memory_bound = memory_bound});
  for (const ValueId value : values) {
    run.advance(model, std::array{value}, [&](const Activations& a) {
      EXPECT_EQ(*a.original, *a.edited);
      seen[{a.value, a.batch}] = a.edited->to_doubles();
    });
  }
  if (figures != nullptr) *figures = run.figures();
  return seen;
}

class StagedRuns : public testing::TestWithParam<const char*> {};

TEST_P(StagedRuns, SeeWhatOneRunOfTheWholeModelSees) {
  const auto path = test::source_dir() / "models" / GetParam() / "model.onnx";
  const Model model = read_model(path);
  const CalibrationSet set(sentences(20, 60), input_specs(model.graph), 8);
  const std::vector<ValueId> values = unit_inputs(model);
  ASSERT_GT(values.size(), 8U);

  Seen whole;
  const Session session(model, {.threads = 2});
  for (std::size_t i = 0; i < set.batches(); ++i) {
    Tap tap;
    std::map<std::string, ValueId, std::less<>> ids;
    for (const ValueId id : values) {
      tap.values.push_back(model.graph.value(id).name);
      ids[tap.values.back()] = id;
    }
    tap.see = [&](std::string_view name, const Tensor& tensor) {
      whole[{ids.find(name)->second, i}] = tensor.to_doubles();
    };
    (void)session.run(set.batch(i).inputs, tap);
  }

  StagedRunFigures figures;
  const Seen stages = in_stages(model, set, values, 64 << 20, &figures);
  ASSERT_EQ(stages.size(), whole.size());
  for (const auto& [key, expected] : whole) {
    const auto& actual = stages.at(key);
    ASSERT_EQ(actual.size(), expected.size());
    double largest = 0;
    double difference = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      difference = std::max(difference, std::abs(expected[i] - actual[i]));
    }
    EXPECT_LE(difference, 1e-5 * largest + 1e-7) << model.graph.value(key.first).name;
  }
  // Both models ran each node about once.
  EXPECT_LE(figures.nodes, 2 * static_cast<std::int64_t>(model.graph.nodes().size()) * 11 / 10);

  EXPECT_EQ(in_stages(model, set, values, 1000), stages) << "spilled to a file";
}

INSTANTIATE_TEST_SUITE_P(Models, StagedRuns, testing::Values("sst2-minilm-l3", "gpt-shakespeare"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(StagedRun, RefusesValuesThatAreNotThere) {
  const Model model = read_model(test::source_dir() / "models/gpt-shakespeare/model.onnx");
  const CalibrationSet set(sentences(3, 60), input_specs(model.graph), 8);
  StagedRun run(model, set);
  EXPECT_THROW(run.advance(model, std::array{static_cast<ValueId>(1 << 30)}, {}), Error);
}

}  // namespace
}  // namespace onnxpress
