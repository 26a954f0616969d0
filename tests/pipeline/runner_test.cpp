// SPDX-License-Identifier: Apache-2.0
#include "pipeline/runner.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <limits>

#include "io/reader.h"
#include "io/writer.h"
#include "onnxpress/error.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

const std::filesystem::path kModel =
    test::source_dir() / "models" / "sst2-minilm-l3" / "model.onnx";

std::string written(const Model& model, const std::string& name) {
  const auto path = std::filesystem::path(testing::TempDir()) / name;
  WriteOptions options;
  options.force = true;
  stage_model(model, path, options).publish();
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Runner, CompressesTheBundledModelAsPromised) {
  const auto size = static_cast<double>(std::filesystem::file_size(kModel));
  const std::map<std::string, double> wanted{
      {"lossless", 1.0}, {"fp16", 1.98}, {"int8-weights", 3.9}, {"int8-dynamic", 3.9}};
  for (const auto& [preset, ratio] : wanted) {
    const RunResult result = run_recipe(read_model(kModel), preset_recipe(preset));
    const std::string bytes = written(result.model, "compressed.onnx");
    EXPECT_GE(size / static_cast<double>(bytes.size()), ratio) << preset;
    EXPECT_EQ(static_cast<std::int64_t>(bytes.size()), result.predicted_bytes) << preset;
    EXPECT_LE(result.weight_bytes_after, result.weight_bytes_before);
    for (const PassReport& pass : result.passes) {
      std::int64_t planned = 0;
      for (const UnitPlan& unit : pass.units) planned += unit.bytes_before - unit.bytes_after;
      EXPECT_EQ(planned, pass.weight_bytes_before - pass.weight_bytes_after)
          << preset << " " << pass.name;
    }
  }
}

TEST(Runner, SameBytesForAnyNumberOfThreadsAndEveryRun) {
  for (const Preset& known : all_presets()) {
    if (known.needs_data) continue;
    const std::string preset(known.name);
    RunOptions one;
    one.threads = 1;
    RunOptions three;
    three.threads = 3;
    const std::string first =
        written(run_recipe(read_model(kModel), preset_recipe(preset), one).model, "a.onnx");
    EXPECT_TRUE(first ==
                written(run_recipe(read_model(kModel), preset_recipe(preset), one).model, "b.onnx"))
        << preset;
    EXPECT_TRUE(first == written(run_recipe(read_model(kModel), preset_recipe(preset), three).model,
                                 "c.onnx"))
        << preset;
  }
}

TEST(Runner, SameBytesForAnyNumberOfThreadsWithData) {
  const auto folder = test::source_dir() / "models" / "vit-digits";
  const auto compressed = [&](std::string_view preset, int threads) {
    const Model model = read_model(folder / "model.onnx");
    const auto specs = input_specs(model.graph);
    DataSpec spec;
    spec.path = folder / "calibration.npz";
    spec.samples = 48;
    SessionOptions session;
    session.threads = threads;
    const Calibration calibration{CalibrationSet(load_dataset(spec, specs), specs, 16), session};
    RunOptions options;
    options.threads = threads;
    options.calibration = &calibration;
    return written(run_recipe(model, preset_recipe(preset), options).model, "data.onnx");
  };
  for (const Preset& preset : all_presets()) {
    if (!uses_data(preset_recipe(preset.name))) continue;
    const std::string first = compressed(preset.name, 1);
    for (const int threads : {1, 2, 8}) {
      EXPECT_TRUE(first == compressed(preset.name, threads)) << preset.name << ", " << threads;
    }
  }
}

TEST(Runner, ADryRunPredictsAndChangesNothing) {
  const Model model = read_model(kModel);
  RunOptions dry;
  dry.dry_run = true;
  const RunResult predicted = run_recipe(model, preset_recipe("int8-dynamic"), dry);
  const RunResult done = run_recipe(model, preset_recipe("int8-dynamic"));
  EXPECT_EQ(predicted.predicted_bytes, done.predicted_bytes);
  EXPECT_EQ(predicted.weight_bytes_after, done.weight_bytes_after);
  EXPECT_EQ(to_text(predicted.model.graph), to_text(model.graph));
  EXPECT_NE(to_text(done.model.graph), to_text(model.graph));
}

TEST(Runner, NothingLeftToQuantizeIsAWarningAndAnErrorOfItsOwnIfStrict) {
  const RunResult once = run_recipe(read_model(kModel), preset_recipe("int8-weights"));
  const RunResult again = run_recipe(once.model, preset_recipe("int8-weights"));
  EXPECT_THAT(again.passes.back().warnings,
              testing::Contains(testing::HasSubstr("nothing is left to quantize")));
  EXPECT_LE(again.weight_bytes_after, once.weight_bytes_after);
  RunOptions strict;
  strict.strict = true;
  try {
    (void)run_recipe(once.model, preset_recipe("int8-weights"), strict);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(exit_code(error.kind()), 4);
  }
  // But products of weights without zero points can still become integer ones.
  Recipe symmetric = preset_recipe("int8-weights");
  set_option(symmetric, "quantize_weights.symmetric=true");
  const RunResult weights = run_recipe(read_model(kModel), symmetric);
  const RunResult dynamic = run_recipe(weights.model, preset_recipe("int8-dynamic"));
  EXPECT_GE(dynamic.passes.back().changed, 19U);
  EXPECT_LE(dynamic.weight_bytes_after, weights.weight_bytes_after);
}

TEST(Runner, PruningComesBeforeQuantizing) {
  const auto code_of = [](const std::vector<RecipePass>& passes) -> std::string {
    Recipe recipe;
    recipe.passes = passes;
    try {
      RunOptions options;
      options.dry_run = true;
      (void)run_recipe(read_model(kModel), recipe, options);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("can't be cut or fitted any more"));
      return std::string(error.code());
    }
    return "";
  };
  for (const char* cut : {"prune_heads", "prune_neurons", "prune_weights", "low_rank"}) {
    for (const char* rounded : {"quantize_weights", "quantize_dynamic"}) {
      EXPECT_EQ(code_of({{rounded, {}}, {cut, {}}}), "E0004") << cut << " after " << rounded;
    }
  }
  EXPECT_EQ(code_of({{"prune_heads", {}}, {"quantize_weights", {}}}), "");
  EXPECT_EQ(code_of({{"quantize_embeddings", {}}, {"prune_neurons", {}}}), "");
}

TEST(Runner, AWeightThatIsNotFiniteIsAWarningAndAnErrorIfStrict) {
  Model model = read_model(kModel);
  for (const ValueId id : model.graph.values()) {
    const Tensor* tensor = model.graph.constant(id);
    if (tensor == nullptr || tensor->dtype() != DType::float32 || tensor->rank() != 2) continue;
    if (tensor->dims() != Dims{384, 1536}) continue;
    std::vector<float> values(tensor->as<float>().begin(), tensor->as<float>().end());
    values[1536 * 3 + 5] = std::numeric_limits<float>::quiet_NaN();
    model.graph.set_constant(id, Tensor::of<float>({384, 1536}, std::move(values)));
    break;
  }
  for (const char* preset : {"int8-weights", "int8-dynamic", "int4"}) {
    const RunResult result = run_recipe(model, preset_recipe(preset));
    EXPECT_THAT(result.passes.back().warnings,
                testing::ElementsAre(testing::HasSubstr("[3, 5] is NaN or infinite")))
        << preset;
    RunOptions strict;
    strict.strict = true;
    try {
      (void)run_recipe(model, preset_recipe(preset), strict);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(exit_code(error.kind()), 3);
      EXPECT_THAT(error.what(), testing::HasSubstr("[3, 5]"));
    }
  }
}

TEST(Runner, WritesWhereTheModelCameFromIntoItsMetadata) {
  RunOptions options;
  options.tool_version = "1.2.3";
  options.input_sha256 = [] { return "abc"; };
  const RunResult result = run_recipe(read_model(kModel), preset_recipe("fp16"), options);
  using testing::Contains;
  using testing::Pair;
  EXPECT_THAT(result.model.metadata, Contains(Pair(std::string(kVersionKey), "1.2.3")));
  EXPECT_THAT(result.model.metadata, Contains(Pair(std::string(kInputKey), "abc")));
  EXPECT_THAT(result.model.metadata,
              Contains(Pair(std::string(kRecipeKey), hash(preset_recipe("fp16")))));
}

TEST(Runner, ReportsProgressAndStopsWhenCancelled) {
  std::vector<Progress> seen;
  std::atomic<bool> cancelled = false;
  RunOptions options;
  options.cancelled = &cancelled;
  options.progress = [&](const Progress& p) { seen.push_back(p); };
  (void)run_recipe(read_model(kModel), preset_recipe("int8-weights"), options);
  ASSERT_GT(seen.size(), 20U);
  EXPECT_EQ(seen.front().pass, "fold_constants");
  EXPECT_EQ(seen.back().index, 3U);
  EXPECT_EQ(seen.back().done, 1.0);
  options.progress = [&](const Progress& p) { cancelled = p.index == 3; };
  EXPECT_THROW((void)run_recipe(read_model(kModel), preset_recipe("int8-weights"), options),
               Cancelled);
}

TEST(Runner, AGlobMustFitAUnitOfSomePass) {
  Recipe recipe = preset_recipe("int8-weights");
  add_globs(recipe, "exclude", {"*pooler*"});  // a unit, but no embedding
  const RunResult result = run_recipe(read_model(kModel), recipe);
  EXPECT_EQ(result.passes.back().changed, 18U);
  add_globs(recipe, "exclude", {"*poler*"});
  EXPECT_THROW((void)run_recipe(read_model(kModel), recipe), Error);
}

}  // namespace
}  // namespace onnxpress
