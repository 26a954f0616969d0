// SPDX-License-Identifier: Apache-2.0
#include "calib/staged_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "data/input_spec.h"
#include "data/npz.h"
#include "io/reader.h"
#include "model/transformer_view.h"
#include "onnxpress/error.h"
#include "support/parse.h"
#include "support/shared.h"
#include "support/temporary_folder.h"

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

Seen in_one_run_of_the_model(const Model& model, const CalibrationSet& set,
                             const std::vector<ValueId>& values) {
  Seen seen;
  const Session session(model, {.threads = 2});
  for (std::size_t i = 0; i < set.batches(); ++i) {
    Tap tap;
    std::map<std::string, ValueId, std::less<>> ids;
    for (const ValueId id : values) {
      tap.values.push_back(model.graph.value(id).name);
      ids[tap.values.back()] = id;
    }
    tap.see = [&](std::string_view name, const Tensor& tensor) {
      seen[{ids.find(name)->second, i}] = tensor.to_doubles();
    };
    (void)session.run(set.batch(i).inputs, tap);
  }
  return seen;
}

// To rounding: what is fused is not the same.
void expect_near(const Model& model, const Seen& actual, const Seen& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [key, values] : expected) {
    const auto& got = actual.at(key);
    ASSERT_EQ(got.size(), values.size());
    double largest = 0;
    double difference = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      largest = std::max(largest, std::abs(values[i]));
      difference = std::max(difference, std::abs(values[i] - got[i]));
    }
    EXPECT_LE(difference, 1e-5 * largest + 1e-7) << model.graph.value(key.first).name;
  }
}

// Stage by stage, all at once, and with almost no memory.
void expect_what_one_run_sees(const Model& model, const CalibrationSet& set) {
  const std::vector<ValueId> values = unit_inputs(model);
  ASSERT_GT(values.size(), 4U);
  const Seen whole = in_one_run_of_the_model(model, set, values);
  StagedRunFigures figures;
  const Seen stages = in_stages(model, set, values, 64 << 20, &figures);
  expect_near(model, stages, whole);
  EXPECT_EQ(figures.spilled_bytes, 0U);
  // Both models ran each node about once; what reads constants only may run in several segments.
  EXPECT_LE(figures.nodes, 2 * static_cast<std::int64_t>(model.graph.nodes().size()) * 11 / 10);

  Seen at_once;
  StagedRun run(model, set, {.session = {.threads = 2}});
  run.advance(model, values, [&](const Activations& a) {
    EXPECT_EQ(a.original, nullptr);
    at_once[{a.value, a.batch}] = a.edited->to_doubles();
  });
  expect_near(model, at_once, whole);

  EXPECT_EQ(in_stages(model, set, values, 1000, &figures), stages) << "spilled to a file";
  EXPECT_GT(figures.most_spilled_bytes, 0U);
}

class StagedRuns : public testing::TestWithParam<const char*> {};

TEST_P(StagedRuns, SeeWhatOneRunOfTheWholeModelSees) {
  const auto path = test::source_dir() / "models" / GetParam() / "model.onnx";
  const Model model = read_model(path);
  expect_what_one_run_sees(model, CalibrationSet(sentences(20, 60), input_specs(model.graph), 8));
}

INSTANTIATE_TEST_SUITE_P(Models, StagedRuns, testing::Values("sst2-minilm-l3", "gpt-shakespeare"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::erase(name, '-');
                           return name;
                         });

// The first inputs that are stored with a model of the zoo.
Dataset zoo_inputs(const std::filesystem::path& path) {
  std::vector<NamedTensor> arrays;
  for (NamedTensor& array : read_npz(path)) {
    if (array.name.starts_with("0/in/")) arrays.push_back({array.name.substr(5), array.tensor});
  }
  return Dataset::of_arrays(std::move(arrays), {});
}

TEST(StagedRun, SeesWhatOneRunSeesInTheWholeZoo) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  std::set<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(shared / "models" / "zoo")) {
    if (entry.path().extension() == ".onnx") paths.insert(entry.path());
  }
  ASSERT_GT(paths.size(), 20U);
  for (std::filesystem::path path : paths) {
    SCOPED_TRACE(path.filename());
    const Model model = read_model(path);
    const Dataset data = zoo_inputs(path.replace_extension(".npz"));
    expect_what_one_run_sees(model, CalibrationSet(data, input_specs(model.graph), 1));
  }
}

constexpr const char* kChain = R"(
  g (float[n,1] x) => (float[n,1] y) <float[1] p = {2}, float[1] q = {3}, float[1] r = {5}>
  { a = Mul(x, p)  b = Mul(a, q)  c = Mul(b, r)  d = Add(a, c)  y = Relu(d) })";

Dataset numbers(std::vector<float> values) {
  const auto rows = static_cast<std::int64_t>(values.size());
  return Dataset::of_arrays({{"x", Tensor::of<float>({rows, 1}, std::move(values))}}, {});
}

// Runs up to a value and returns what the edited model computes for the only sample.
double value_at(StagedRun& run, const Model& model, const char* name, double* original = nullptr) {
  double result = 0;
  run.advance(model, std::array{model.graph.find_value(name).value()}, [&](const Activations& a) {
    result = a.edited->to_doubles().at(0);
    if (original != nullptr) *original = a.original->to_doubles().at(0);
  });
  return result;
}

void set_factor(Model& model, const char* name, float factor) {
  model.graph.set_constant(model.graph.find_value(name).value(), Tensor::of<float>({1}, {factor}));
}

TEST(StagedRun, SeesEditsOfWhatIsStillToRun) {
  const Model original = test::parse(kChain);
  const CalibrationSet set(numbers({1}), input_specs(original.graph), 1);
  StagedRun run(original, set, {.session = {.threads = 1}, .pair = true});
  Model edited = original;
  EXPECT_EQ(value_at(run, edited, "a"), 2);
  set_factor(edited, "q", 30);
  double before = 0;
  EXPECT_EQ(value_at(run, edited, "c", &before), 300);
  EXPECT_EQ(before, 30);
  EXPECT_EQ(value_at(run, edited, "d", &before), 302);
  EXPECT_EQ(before, 32);
  EXPECT_EQ(run.figures().stages, 3);
  EXPECT_EQ(run.figures().nodes, 2 * 4);
}

TEST(StagedRun, RunsAnewWhatWasEditedAfterItHadRun) {
  const Model original = test::parse(kChain);
  const CalibrationSet set(numbers({1}), input_specs(original.graph), 1);
  StagedRun run(original, set, {.session = {.threads = 1}, .pair = true});
  Model edited = original;
  EXPECT_EQ(value_at(run, edited, "b"), 6);
  set_factor(edited, "p", 20);
  double before = 0;
  EXPECT_EQ(value_at(run, edited, "d", &before), 320);
  EXPECT_EQ(before, 32);
  // Another node in the place of one that has run.
  const ValueId b = edited.graph.find_value("b").value(), a = edited.graph.find_value("a").value();
  edited.graph.erase(edited.graph.producer_id(b).value());
  edited.graph.add_node(
      {.name = "neg", .op_type = "Neg", .domain = "", .inputs = {a}, .outputs = {b}});
  EXPECT_EQ(value_at(run, edited, "d"), -80);
  EXPECT_EQ(value_at(run, edited, "a"), 20);  // upstream of all that is kept
}

// The model with the weight of one unit scaled.
Model with_scaled_weight(const Model& model, const LinearUnit& unit) {
  Model variant = model;
  const Tensor& weight = *variant.graph.constant(unit.weight);
  const auto numbers = weight.as<float>();
  std::vector<float> values(numbers.begin(), numbers.end());
  for (float& value : values) value *= 0.5F;
  variant.graph.set_constant(unit.weight, Tensor::of<float>(weight.dims(), std::move(values)));
  return variant;
}

TEST(StagedRun, PeeksAtVariantsFromWhereItIs) {
  const Model model = read_model(test::source_dir() / "models/gpt-shakespeare/model.onnx");
  const CalibrationSet set(sentences(40, 60), input_specs(model.graph), 8);
  const TransformerView view = TransformerView::of(model);
  const ValueId output = model.graph.outputs()[0];
  const std::array asked{output};
  const LinearUnit& early = view.units()[1];
  const LinearUnit& border = view.units()[4];
  const LinearUnit& late = view.units()[6];
  StagedRun run(model, set, {.session = {.threads = 2}});
  const auto peek = [&](const Model& variant) {
    Seen seen;
    run.peek(variant, asked, [&](const Activations& a) {
      EXPECT_EQ(a.original, nullptr);
      seen[{a.value, a.batch}] = a.edited->to_doubles();
    });
    return seen;
  };
  const auto whole = [&](const Model& variant) {
    return in_one_run_of_the_model(variant, set, {output});
  };
  expect_near(model, peek(model), whole(model));  // before anything has run
  run.advance(model, std::array{border.input}, [](const Activations&) {});
  const std::int64_t before = run.figures().nodes;
  const Model later = with_scaled_weight(model, late);
  const Seen seen = peek(later);
  expect_near(model, seen, whole(later));
  EXPECT_NE(seen, peek(model));
  EXPECT_LT(run.figures().nodes - before, 2 * static_cast<std::int64_t>(model.graph.nodes().size()))
      << "what lies before the border did not run again";
  // A variant of what has run already is run from further up.
  const Model earlier = with_scaled_weight(model, early);
  expect_near(model, peek(earlier), whole(earlier));
  // The run goes on as if nobody had looked.
  Seen rest;
  run.advance(model, asked, [&](const Activations& a) {
    rest[{a.value, a.batch}] = a.edited->to_doubles();
  });
  expect_near(model, rest, whole(model));
}

TEST(StagedRun, GivesGraphInputsAndConstantsToo) {
  const Model model = test::parse(kChain);
  const CalibrationSet set(numbers({7}), input_specs(model.graph), 1);
  StagedRun run(model, set);
  EXPECT_EQ(value_at(run, model, "x"), 7);
  EXPECT_EQ(value_at(run, model, "q"), 3);
  EXPECT_EQ(value_at(run, model, "y"), 7 * 32);
}

TEST(StagedRun, StopsWhereItMust) {
  const Model model = test::parse(kChain);
  const CalibrationSet set(numbers({1, 2, 3}), input_specs(model.graph), 1);
  std::atomic<bool> cancelled = false;
  std::vector<double> progress;
  StagedRunOptions options;
  options.cancelled = &cancelled;
  options.progress = [&](double share) {
    progress.push_back(share);
    cancelled = progress.size() == 5;
  };
  StagedRun run(model, set, options);
  EXPECT_EQ(value_at(run, model, "a"), 6);
  EXPECT_THROW(value_at(run, model, "b"), Error);
  EXPECT_EQ(progress.size(), 5U);
  EXPECT_DOUBLE_EQ(progress[2], 1);
  cancelled = false;
  EXPECT_THROW(value_at(run, model, "b"), Error) << "a run that was stopped can't go on";
}

TEST(StagedRun, SaysWhereActivationsCannotBeKept) {
  const Model model = test::parse(kChain);
  const CalibrationSet set(numbers({1}), input_specs(model.graph), 1);
  StagedRun run(model, set, {.memory_bound = 0, .spill_folder = "/nowhere"});
  try {
    value_at(run, model, "a");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file_system);
    EXPECT_NE(std::string(error.what()).find("/nowhere"), std::string::npos);
  }
}

TEST(StagedRun, LeavesNoFileBehind) {
  const test::TemporaryFolder folder;
  const Model model = test::parse(kChain);
  const CalibrationSet set(numbers({1, 2}), input_specs(model.graph), 1);
  StagedRun run(model, set, {.memory_bound = 0, .spill_folder = folder.path()});
  EXPECT_EQ(value_at(run, model, "a"), 4);
  EXPECT_GT(run.figures().spilled_bytes, 0U);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));  // no name even while it is used
  EXPECT_EQ(value_at(run, model, "d"), 64);
}

TEST(StagedRun, RefusesValuesThatAreNotThere) {
  const Model model = read_model(test::source_dir() / "models/gpt-shakespeare/model.onnx");
  const CalibrationSet set(sentences(3, 60), input_specs(model.graph), 8);
  StagedRun run(model, set);
  EXPECT_THROW(run.advance(model, std::array{static_cast<ValueId>(1 << 30)}, {}), Error);
}

}  // namespace
}  // namespace onnxpress
