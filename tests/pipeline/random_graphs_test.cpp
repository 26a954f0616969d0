// SPDX-License-Identifier: Apache-2.0
// Random small graphs through every preset: what is written reads back, computes what the original
// computes, and is the same for any number of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>

#include "exec/session.h"
#include "io/reader.h"
#include "io/writer.h"
#include "onnxpress/error.h"
#include "pipeline/recipe.h"
#include "pipeline/runner.h"
#include "random_graph.h"
#include "support/temporary_folder.h"

namespace onnxpress {
namespace {

constexpr std::uint32_t kGraphs = 60;
// Least signal-to-noise ratio in dB; presets that are not named round to four bits.
const std::map<std::string_view, double> kSqnr{
    {"lossless", 100}, {"fp16", 45}, {"int8-weights", 28}, {"int8-dynamic", 22}, {"int8", 18}};
constexpr double kFourBits = 7;
// What was too large to fold in float32 may be folded in half precision: at most 4 KB a node.
constexpr std::size_t kFolded = 8192;

TensorMap rows(const test::RandomGraph& graph, std::int64_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  return {{"x", test::random_tensor({count, graph.width}, random, 1)}};
}

Calibration calibration(const test::RandomGraph& graph, int threads) {
  SessionOptions session;
  session.threads = threads;
  return {CalibrationSet(Dataset::of_arrays({{"x", rows(graph, 120, 77).at("x")}}, {}),
                         input_specs(graph.model.graph), 32),
          session};
}

double sqnr_db(const Tensor& expected, const Tensor& actual) {
  const auto a = expected.to_doubles();
  const auto b = actual.to_doubles();
  EXPECT_EQ(a.size(), b.size());
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    signal += a[i] * a[i];
    noise += (a[i] - b[i]) * (a[i] - b[i]);
  }
  if (!std::isfinite(noise)) return -std::numeric_limits<double>::infinity();
  return noise == 0 ? std::numeric_limits<double>::infinity()
                    : 10 * std::log10(std::max(signal, 1e-30) / noise);
}

// These graphs have no attention: presets that cut heads are refused.
std::vector<Preset> presets_of_linear_units() {
  std::vector<Preset> presets;
  for (const Preset& preset : all_presets()) {
    if (preset.passes.find("prune_heads") == std::string_view::npos) presets.push_back(preset);
  }
  return presets;
}

class RandomGraphs : public testing::Test {
 protected:
  std::string written(const Model& model) {
    WriteOptions options;
    options.force = true;
    stage_model(model, path_, options).publish();
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string compressed(const test::RandomGraph& graph, const Preset& preset, int threads) {
    RunOptions options;
    options.threads = threads;
    const Calibration data = calibration(graph, threads);
    options.calibration = &data;
    Recipe recipe = preset_recipe(preset.name);
    for (RecipePass& pass : recipe.passes) {  // so that no unit is too small
      if (pass.name.starts_with("quantize_")) pass.options["min_saving"] = 0.0;
    }
    const RunResult result = run_recipe(graph.model, recipe, options);
    for (const PassReport& pass : result.passes) changed_[std::string(pass.name)] += pass.changed;
    std::string bytes = written(result.model);
    EXPECT_EQ(static_cast<std::int64_t>(bytes.size()), result.predicted_bytes);
    return bytes;
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "model.onnx";
  std::map<std::string, std::size_t> changed_;
};

TEST_F(RandomGraphs, EveryPresetKeepsTheOutputAndTheBytes) {
  for (std::uint32_t seed = 1; seed <= kGraphs; ++seed) {
    const test::RandomGraph graph(seed);
    const TensorMap inputs = rows(graph, 9, 78);
    const Tensor expected = Session(graph.model).run(inputs).begin()->second;
    for (const Preset& preset : presets_of_linear_units()) {
      SCOPED_TRACE(std::string(preset.name) + ", seed " + std::to_string(seed) + "\n" +
                   to_text(graph.model.graph));
      const std::string bytes = compressed(graph, preset, 1);
      const Model model = read_model(path_);
      const auto outputs = Session(model).run(inputs);
      ASSERT_EQ(outputs.size(), 1U);
      EXPECT_EQ(outputs.begin()->first, "y");
      const auto known = kSqnr.find(preset.name);
      EXPECT_GE(sqnr_db(expected, outputs.begin()->second),
                known == kSqnr.end() ? kFourBits : known->second);
      for (const int threads : {2, 8}) {
        if (seed % 8 == 0) {
          EXPECT_TRUE(bytes == compressed(graph, preset, threads)) << threads << " threads";
        }
      }
    }
  }
  for (const char* pass : {"quantize_weights", "quantize_static", "quantize_dynamic"}) {
    EXPECT_GT(changed_[pass], kGraphs / 2) << pass;
  }
}

TEST_F(RandomGraphs, PresetsThatCutHeadsAreRefused) {
  const test::RandomGraph graph(1);
  for (const char* name : {"prune", "tiny"}) {
    const auto preset = std::ranges::find(all_presets(), std::string_view(name), &Preset::name);
    ASSERT_NE(preset, all_presets().end());
    try {
      compressed(graph, *preset, 1);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "E0403");
    }
  }
}

TEST_F(RandomGraphs, ResultsOfOnePresetFedToAnotherStaySound) {
  for (std::uint32_t seed = 101; seed <= 110; ++seed) {
    const test::RandomGraph graph(seed);
    const TensorMap inputs = rows(graph, 9, 78);
    for (const Preset& first : presets_of_linear_units()) {
      test::RandomGraph once = graph;
      const std::size_t size = compressed(graph, first, 2).size();
      once.model = read_model(path_);
      const Tensor expected = Session(once.model).run(inputs).begin()->second;
      for (const Preset& second : presets_of_linear_units()) {
        SCOPED_TRACE(std::string(first.name) + ", then " + std::string(second.name) + ", seed " +
                     std::to_string(seed) + "\n" + to_text(once.model.graph));
        const std::size_t again = compressed(once, second, 2).size();
        if (first.name == second.name) {
          EXPECT_LE(again, size + kFolded);
        }
        const Model model = read_model(path_);
        EXPECT_GE(sqnr_db(expected, Session(model).run(inputs).begin()->second), kFourBits);
      }
    }
  }
}

}  // namespace
}  // namespace onnxpress
