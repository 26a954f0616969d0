// SPDX-License-Identifier: Apache-2.0
// Every pass on every model of the zoo: the graph stays valid, the plan's bytes are exact, a second
// run works, and the outputs stay close to what the exporter stored.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "data/input_spec.h"
#include "data/npz.h"
#include "io/reader.h"
#include "passes/run_pass.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

// Largest difference over largest output. Lossless passes give bit-identical outputs in ONNX
// Runtime (tests/interop); here, fewer nodes may be fused in another way. The weights are random
// and small, so int8 errors do not average out as they do in trained models, and a quarter
// of the heads or neurons is missed.
const std::map<std::string_view, double> kTolerance{
    {"fold_constants", 1e-6},  {"deduplicate", 1e-6},
    {"cast_fp16", 0.01},       {"quantize_embeddings", 0.15},
    {"quantize_weights", 0.2}, {"quantize_dynamic", 0.3},
    {"quantize_static", 0.3},  {"smooth", 1e-5},
    {"upgrade_opset", 1e-6},   {"prune_heads", 2},
    {"prune_neurons", 2},      {"low_rank", 0.3},
    {"prune_weights", 2.0},    {"fit_norms", 1e-6},
    {"fit_head", 1e-6},        {"drop_layers", 2}};

std::vector<std::filesystem::path> models_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> models;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  }
  std::ranges::sort(models);
  return models;
}

// The first inputs that are stored with a model.
std::vector<NamedTensor> stored_inputs(std::filesystem::path model) {
  std::vector<NamedTensor> inputs;
  for (NamedTensor& entry : read_npz(model.replace_extension(".npz"))) {
    if (entry.name.starts_with("0/in/")) inputs.push_back({entry.name.substr(5), entry.tensor});
  }
  return inputs;
}

TEST(EveryPass, WorksOnEveryModelOfTheZoo) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const auto zoo = models_in(shared / "models" / "zoo");
  ASSERT_GE(zoo.size(), 27U);
  for (const auto& path : zoo) {
    const Model original = read_model(path);
    TensorMap inputs;
    for (const NamedTensor& input : stored_inputs(path)) inputs.emplace(input.name, input.tensor);
    const Calibration calibration{
        CalibrationSet(Dataset::of_arrays(stored_inputs(path), {}), input_specs(original.graph), 1),
        {}};
    const TensorMap expected = test::run_model(original, inputs);
    for (const PassInfo& pass : all_passes()) {
      if (pass.name == "prune_vocabulary") continue;  // wants a corpus
      SCOPED_TRACE(path.stem().string() + ", " + std::string(pass.name));
      Model model = original;
      const Calibration* data = make_pass(pass.name, {})->uses_data() ? &calibration : nullptr;
      test::run_pass(model, pass.name, {}, data);
      EXPECT_LE(test::relative_difference(expected, test::run_model(model, inputs)),
                kTolerance.at(pass.name));
      // Vision models look up no tables.
      const bool must_shrink = pass.name == "cast_fp16" || pass.name == "quantize_weights" ||
                               pass.name == "quantize_dynamic" || pass.name == "quantize_static" ||
                               pass.name == "prune_heads" || pass.name == "prune_neurons";
      if (must_shrink) {
        EXPECT_LT(weight_bytes(model.graph), weight_bytes(original.graph));
      }
      // Folded results may be a little larger than what they were made of; the nodes that go are
      // not counted here.
      EXPECT_LE(weight_bytes(model.graph), weight_bytes(original.graph) + 4096);
      const std::int64_t once = weight_bytes(model.graph);
      test::run_pass(model, pass.name, {}, data);
      EXPECT_LE(weight_bytes(model.graph), once + (data == nullptr ? 0 : test::kCopiedBytes));
    }
  }
}

}  // namespace
}  // namespace onnxpress
