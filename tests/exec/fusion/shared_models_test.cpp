// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "../run.h"
#include "counts.h"
#include "io/reader.h"
#include "support/shared.h"

namespace onnxpress::test {
namespace {

struct Case {
  std::string path;  // below shared/models
  std::map<std::string, int> fused;
  double tolerance = 1e-5;
};

// Inputs of a text model: ids below 60 with two padded positions, or pixels.
TensorMap inputs_of(const Session& session) {
  TensorMap inputs;
  for (const PortInfo& port : session.inputs()) {
    if (port.name == "pixel_values") {
      std::vector<float> pixels(2 * 64);
      for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i % 17) / 16;
      inputs[port.name] = floats({2, 1, 8, 8}, pixels);
      continue;
    }
    std::vector<std::int64_t> values(2 * 15, 0);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (port.name == "input_ids") values[i] = static_cast<std::int64_t>(i * 13 % 59);
      if (port.name == "attention_mask") values[i] = i < 28 ? 1 : 0;
    }
    inputs[port.name] = ints({2, 15}, values);
  }
  return inputs;
}

class SharedModels : public testing::TestWithParam<Case> {};

TEST_P(SharedModels, FuseAndComputeTheSame) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const Model model = read_model(shared / "models" / GetParam().path);
  const Session plain(model, {.threads = 2, .reference_kernels = true, .fuse = false});
  const Session fused(model, {.threads = 2});
  auto counts = operator_counts(fused);
  for (const auto& [op, count] : GetParam().fused) EXPECT_EQ(counts[op], count) << op;
  const TensorMap inputs = inputs_of(fused);
  const TensorMap outputs = fused.run(inputs);
  for (const auto& [name, tensor] : plain.run(inputs)) {
    EXPECT_LE(max_difference(outputs.at(name), tensor), GetParam().tolerance * spread(tensor))
        << name;
  }
  // Whatever the number of threads.
  EXPECT_EQ(Session(model, {.threads = 1}).run(inputs), outputs);
  EXPECT_EQ(Session(model, {.threads = 3}).run(inputs), outputs);
}

INSTANTIATE_TEST_SUITE_P(
    , SharedModels,
    testing::Values(
        Case{"minilm-l6-sst2/model.onnx",
             {{"Product", 38},
              {"Attention", 6},
              {"Norm", 13},
              {"Erf", 0},
              {"Activation", 0},
              {"MatMul", 0},
              {"Softmax", 0},
              {"Transpose", 0}}},
        Case{"bundle/sst2-minilm-l3/model.onnx",
             {{"Product", 20}, {"Attention", 3}, {"Erf", 0}, {"MatMul", 0}, {"Transpose", 0}}},
        Case{"bundle/gpt-shakespeare/model.onnx",
             {{"Product", 17}, {"Attention", 4}, {"Norm", 9}, {"Activation", 4}, {"Softmax", 0}}},
        Case{"bundle/vit-digits/model.onnx",
             {{"Product", 25}, {"Attention", 4}, {"MatMul", 0}, {"Softmax", 0}}},
        Case{"stories260K/model.onnx",
             {{"Product", 36}, {"Attention", 5}, {"Norm", 11}, {"Sigmoid", 0}, {"MatMul", 0}}},
        Case{"zh-poem/model.onnx", {{"Product", 36}, {"Attention", 5}, {"Norm", 11}}},
        Case{"zoo/llama-legacy.onnx", {{"Product", 15}, {"Attention", 2}, {"Norm", 5}}},
        Case{"zoo/qwen2-dynamo.onnx", {{"Product", 15}, {"Attention", 2}, {"Norm", 5}}},
        // Its scores are not scaled, so a rounding of a score is a rounding of e^score.
        Case{"zoo/t5-encoder-legacy.onnx", {{"Product", 12}, {"Attention", 2}, {"Norm", 5}}, 2e-4},
        Case{"zoo/gpt-neox-dynamo.onnx", {{"Product", 9}, {"Attention", 2}}}),
    [](const testing::TestParamInfo<Case>& tested) {
      std::string name = tested.param.path;
      for (char& c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
      }
      return name;
    });

}  // namespace
}  // namespace onnxpress::test
