// SPDX-License-Identifier: Apache-2.0
// Whatever is said to be foldable can be scaled at random and the model computes the same.
#include "model/channel_folds.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <random>
#include <string>

#include "data/npz.h"
#include "io/reader.h"
#include "passes/run_pass.h"
#include "passes/scale_channels.h"
#include "support/parse.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<float> random_scales(std::size_t count, std::mt19937& random) {
  std::vector<float> scales(count);
  for (float& scale : scales) {
    scale = std::exp(1.6F * (static_cast<float>(random() % 2001) / 1000.0F - 1.0F));  // 0.2 to 5
  }
  return scales;
}

// Scales (and shifts, where possible) every fold.
Model scaled(const Model& original, bool shift) {
  Model model = original;
  const auto view = TransformerView::of(model);
  std::mt19937 random(7);
  for (const ChannelFold& fold : find_channel_folds(model.graph, view).folds) {
    const auto scales = random_scales(fold.columns.size(), random);
    std::vector<float> shifts;
    if (shift && fold.shiftable) shifts = random_scales(fold.columns.size(), random);
    scale_channels(model.graph, view, fold, scales, shifts);
  }
  model.graph.remove_unused();
  model.graph.sort();
  model.graph.verify();
  return model;
}

void expect_unchanged(const Model& model, const TensorMap& inputs) {
  const TensorMap expected = test::run_model(model, inputs);
  for (const bool shift : {false, true}) {
    const Model edited = scaled(model, shift);
    EXPECT_LT(test::relative_difference(expected, test::run_model(edited, inputs)), 1e-5)
        << "shift " << shift;
  }
}

// The folds as text: "attention.v > attention.output ± x2". ± says that shifts are possible.
std::string kinds(const Model& model) {
  const auto view = TransformerView::of(model);
  std::map<std::string, int> found;
  for (const ChannelFold& fold : find_channel_folds(model.graph, view).folds) {
    std::string text = fold.norm ? "norm" : std::string(name(view.units()[*fold.unit].role));
    text += " >";
    for (const ChannelReader& reader : fold.readers) {
      text += fmt::format(" {}", name(view.units()[reader.unit].role));
    }
    ++found[text + (fold.shiftable ? " ±" : "")];
  }
  std::string all;
  for (const auto& [text, count] : found) {
    all += fmt::format("{}{} x{}", all.empty() ? "" : ", ", text, count);
  }
  return all;
}

TensorMap stored_inputs(std::filesystem::path path) {
  TensorMap inputs;
  for (const NamedTensor& entry : read_npz(path.replace_extension(".npz"))) {
    if (entry.name.starts_with("0/in/")) inputs.emplace(entry.name.substr(5), entry.tensor);
  }
  return inputs;
}

constexpr const char* kV = "attention.v > attention.output ± x2";
constexpr const char* kQkv = "attention.qkv > attention.output ± x2";

// By family; both exporters give the same unless said otherwise.
std::string expected_kinds(const std::string& name) {
  const std::string vit = fmt::format("{}, norm > attention.q attention.k attention.v ± x2, ", kV) +
                          "norm > feed_forward.up ± x2, norm > head ± x1";
  const std::string gpt = fmt::format("{}, norm > attention.qkv ± x2, ", kQkv) +
                          "norm > feed_forward.up ± x2, norm > head x1";
  const std::string llama =
      "attention.v > attention.output x2, feed_forward.up > feed_forward.down x2, "
      "norm > attention.q attention.k attention.v x2, "
      "norm > feed_forward.gate feed_forward.up x2, norm > head x1";
  const std::map<std::string, std::string> families = {
      // Layers share their weights; the newer exporter stores some of them twice.
      {"albert-legacy", "norm > other ± x2"},
      {"albert-dynamo", fmt::format("{}, norm > other ± x2", kV)},
      {"bert", fmt::format("{}, norm > other ± x1", kV)},
      {"roberta", fmt::format("{}, norm > other ± x1", kV)},
      {"distilbert", fmt::format("{}, norm > other ± x1, other > head x1", kV)},
      {"electra", fmt::format("{}, norm > other ± x2", kV)},
      {"deit", vit},
      {"vit", vit},
      {"gpt2", gpt},
      {"gpt-neox", gpt},
      {"llama", llama},
      {"qwen2", llama},
      {"opt", fmt::format("{}, feed_forward.up > feed_forward.down x2, ", kV) +
                  "norm > attention.q attention.k attention.v ± x2, "
                  "norm > feed_forward.up ± x2, norm > head x1"},
      {"phi",
       fmt::format("{}, norm > attention.q attention.k attention.v feed_forward.up ± x2, ", kV) +
           "norm > head ± x1"},
      // The shape of the context is lost where the position bias is added to the scores.
      {"t5-encoder",
       "feed_forward.up > feed_forward.down x2, norm > attention.q attention.k attention.v x2, "
       "norm > feed_forward.up x2"},
  };
  const auto whole = families.find(name);
  if (whole != families.end()) return whole->second;
  return families.at(name.substr(0, name.rfind('-')));
}

TEST(ChannelFolds, EveryModelOfTheZooHasThemAndComputesTheSameWhenTheyAreScaled) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  std::size_t models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared / "models" / "zoo")) {
    if (entry.path().extension() != ".onnx") continue;
    const std::string name = entry.path().stem().string();
    SCOPED_TRACE(name);
    const Model model = read_model(entry.path());
    EXPECT_EQ(kinds(model), expected_kinds(name));
    expect_unchanged(model, stored_inputs(entry.path()));
    ++models;
  }
  EXPECT_GE(models, 27U);
}

// Ids, ones in masks, and noise; 2 samples of 9 tokens where sizes are open.
TensorMap some_inputs(const Model& model) {
  std::mt19937 random(3);
  TensorMap inputs;
  for (const ValueId id : model.graph.inputs()) {
    const Value& value = model.graph.value(id);
    Dims dims;
    for (const Dim& dim : *value.shape) {
      dims.push_back(dim.known() ? dim.size : dims.empty() ? 2 : 9);
    }
    if (value.dtype == DType::float32) {
      inputs.emplace(value.name, test::noise(dims, 1));
      continue;
    }
    std::vector<std::int64_t> ids(static_cast<std::size_t>(*element_count(dims)));
    const bool mask = value.name.find("mask") != std::string::npos;
    const unsigned most = value.name.find("type") != std::string::npos ? 2 : 60;
    for (auto& one : ids) one = mask ? 1 : random() % most;
    inputs.emplace(value.name, Tensor::of<std::int64_t>(dims, std::move(ids)));
  }
  return inputs;
}

TEST(ChannelFolds, RealModelsComputeTheSame) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const std::string pre_norm =
      "attention.v > attention.output x5, feed_forward.up > feed_forward.down x5, "
      "norm > attention.q attention.k attention.v x5, "
      "norm > feed_forward.gate feed_forward.up x5, norm > head x1";
  const std::vector<std::pair<const char*, std::string>> models = {
      {"minilm-l6-sst2", "attention.v > attention.output ± x6, norm > other ± x1"},
      {"bundle/sst2-minilm-l3", "attention.v > attention.output ± x3, norm > other ± x1"},
      {"stories260K", pre_norm},
      {"zh-poem", pre_norm},
      {"bundle/gpt-shakespeare",
       "attention.qkv > attention.output ± x4, norm > attention.qkv ± x4, "
       "norm > feed_forward.up ± x4, norm > head x1"},
      {"bundle/vit-digits",
       "attention.v > attention.output ± x4, norm > attention.q attention.k attention.v ± x4, "
       "norm > feed_forward.up ± x4, norm > head ± x1"}};
  for (const auto& [path, expected] : models) {
    SCOPED_TRACE(path);
    const Model model = read_model(shared / "models" / path / "model.onnx");
    EXPECT_EQ(kinds(model), expected);
    expect_unchanged(model, some_inputs(model));
  }
}

ChannelFolds folds_of(const Model& model) {
  return find_channel_folds(model.graph, TransformerView::of(model));
}

// Small graphs around products of 4 channels. All constants are initializers of random floats.
Model graph(std::string_view body, std::string_view constants) {
  return test::parse(
      fmt::format("g (float[n,4] x) => (float[n,m] y) <{}> {{ {} }}", constants, body));
}

TEST(ChannelFolds, NothingElseMayReadTheNorm) {
  const char* weights =
      "float[4] g = {1,2,3,4}, float[4] b = {1,1,1,1}, "
      "float[4,2] w = {1,2,3,4,5,6,7,8}, float[4,4] v = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}";
  const Model folds = graph("h = LayerNormalization(x, g, b)  y = MatMul(h, w)", weights);
  ASSERT_EQ(folds_of(folds).folds.size(), 1U);
  const TensorMap inputs{{"x", test::noise({3, 4}, 1)}};
  expect_unchanged(folds, inputs);
  const Model residual =
      graph("h = LayerNormalization(x, g, b)  p = MatMul(h, v)  y = Add(h, p)", weights);
  EXPECT_TRUE(folds_of(residual).folds.empty());
  EXPECT_EQ(folds_of(residual).why_not.at(0), "the residual reads it too");
  const Model activated = graph(
      "h = LayerNormalization(x, g, b)  t = Tanh(h)  p = MatMul(h, w)  q = MatMul(t, w)  y = "
      "Add(p, q)",
      weights);
  EXPECT_TRUE(folds_of(activated).folds.empty());
}

TEST(ChannelFolds, ConstantsThatOthersReadAreCopied) {
  const Model model = graph(
      "h = LayerNormalization(x, g, b)  p = MatMul(h, v)  i = LayerNormalization(p, g, b)  "
      "q = MatMul(i, w)  y = Add(q, b)",
      "float[4] g = {1,2,3,4}, float[4] b = {1,1,1,1}, "
      "float[4,4] w = {1,2,3,4,5,6,7,8,3,1,4,1,5,9,2,6}, "
      "float[4,4] v = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}");
  EXPECT_EQ(folds_of(model).folds.size(), 2U);
  expect_unchanged(model, {{"x", test::noise({3, 4}, 1)}});
}

TEST(ChannelFolds, AGateIsLeftAloneAlsoInAPackedProduct) {
  const char* weights =
      "float[4,4] w = {1,2,3,4,5,-6,7,8,9,1,2,3,4,-5,6,7}, float[2,3] d = {1,2,3,4,5,6}, "
      "int64[2] parts = {2,2}";
  for (const char* activation : {"Sigmoid", "Relu"}) {
    SCOPED_TRACE(activation);
    const Model model = graph(fmt::format("h = MatMul(x, w)  a, u = Split <axis = 1> (h, parts)  "
                                          "g = {}(a)  p = Mul(g, u)  y = MatMul(p, d)",
                                          activation),
                              weights);
    const ChannelFolds found = folds_of(model);
    ASSERT_EQ(found.folds.size(), 1U);
    EXPECT_THAT(found.folds[0].columns, ElementsAre(2, 3));
    EXPECT_FALSE(found.folds[0].shiftable);
    expect_unchanged(model, {{"x", test::noise({3, 4}, 1)}});
  }
}

TEST(ChannelFolds, SquaresAndGraphOutputsAreNotScaled) {
  const char* weights = "float[4,2] w = {1,2,3,4,5,-6,7,8}, float[2,3] d = {1,2,3,4,5,6}";
  const Model square = graph("h = MatMul(x, w)  s = Mul(h, h)  y = MatMul(s, d)", weights);
  EXPECT_TRUE(folds_of(square).folds.empty());
  const Model relu = graph("h = MatMul(x, w)  r = Relu(h)  y = MatMul(r, d)", weights);
  ASSERT_EQ(folds_of(relu).folds.size(), 1U);
  expect_unchanged(relu, {{"x", test::noise({3, 4}, 1)}});
  Model seen = relu;
  seen.graph.add_output(*seen.graph.find_value("h"));
  EXPECT_TRUE(folds_of(seen).folds.empty());
  EXPECT_THAT(folds_of(seen).why_not.at(1), HasSubstr("output of the graph"));
  const Model gelu = graph("h = MatMul(x, w)  r = Gelu(h)  y = MatMul(r, d)", weights);
  EXPECT_THAT(folds_of(gelu).why_not.at(1), HasSubstr("gelu in front of it is not homogeneous"));
}

// Two query heads read each key/value head: they share the scales of its channels.
TEST(ChannelFolds, HeadsOfAGroupShareScales) {
  const Model model = test::parse(R"(
    g (float[1,3,4] x, float[1,4,3,3] p) => (float[1,3,2] y)
      <float[4,4] w = {1,2,3,4,5,-6,7,8,9,1,2,3,4,-5,6,7}, int64[4] heads = {1,3,2,2},
       float[8,2] o = {1,2,3,4,5,6,7,8,1,3,5,7,9,2,4,6}, int64[5] repeated = {1,2,2,3,2},
       int64[1] two = {2}, int64[4] all = {1,4,3,2}, int64[3] joined = {1,3,8}> {
      v = MatMul(x, w)
      r = Reshape(v, heads)
      t = Transpose <perm = [0, 2, 1, 3]> (r)
      u = Unsqueeze(t, two)
      e = Expand(u, repeated)
      k = Reshape(e, all)
      s = Softmax(p)
      c = MatMul(s, k)
      b = Transpose <perm = [0, 2, 1, 3]> (c)
      j = Reshape(b, joined)
      y = MatMul(j, o)
    })");
  const ChannelFolds found = folds_of(model);
  ASSERT_EQ(found.folds.size(), 1U);
  EXPECT_THAT(found.folds[0].readers.at(0).channel, ElementsAre(0, 1, 0, 1, 2, 3, 2, 3));
  expect_unchanged(model, {{"x", test::noise({1, 3, 4}, 1)}, {"p", test::noise({1, 4, 3, 3}, 1)}});
}

// The rows of what is multiplied with v must sum to 1 if v is to be shifted.
TEST(ChannelFolds, OnlyProbabilitiesPassAShift) {
  for (const bool softmax : {true, false}) {
    const Model model = test::parse(fmt::format(
        R"(g (float[3,4] x, float[3,3] p) => (float[3,2] y)
          <float[4,2] w = {{1,2,3,4,5,-6,7,8}}, float[2,2] o = {{1,2,3,4}},
           float[2] a = {{1,2}}, float[2] b = {{3,4}}> {{
          m = MatMul(x, w)  v = Add(m, a)  s = {}(p)  c = MatMul(s, v)
          h = MatMul(c, o)  y = Add(h, b)
        }})",
        softmax ? "Softmax" : "Sigmoid"));
    ASSERT_EQ(folds_of(model).folds.size(), 1U);
    EXPECT_EQ(folds_of(model).folds[0].shiftable, softmax);
    expect_unchanged(model, {{"x", test::noise({3, 4}, 1)}, {"p", test::noise({3, 3}, 1)}});
  }
}

}  // namespace
}  // namespace onnxpress
