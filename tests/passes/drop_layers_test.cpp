// SPDX-License-Identifier: Apache-2.0
// A model without a layer is the very model that is built from the others.
#include "passes/drop_layers.h"

#include <gmock/gmock.h>

#include <limits>

#include "data/input_spec.h"
#include "model/builder.h"
#include "model/layers.h"
#include "onnxpress/error.h"
#include "passes/run_pass.h"

namespace onnxpress {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kWidth = 16;
constexpr std::int64_t kHidden = 24;
constexpr std::int64_t kWords = 20;
constexpr std::int64_t kClasses = 3;

enum class Form { pre_norm, post_norm, parallel };

// Builds layers whose weights depend on their number only.
class Stack {
 public:
  explicit Stack(Form form) : form_(form) {}

  Model model(const std::vector<std::uint32_t>& layers, bool show_first = false) {
    const ValueId ids = b_.ids();
    ValueId x = b_.op("Gather", {weight({kWords, kWidth}, 1, 0), ids});
    // A mask that all layers share and that is computed from the words.
    const ValueId seen =
        b_.op("Cast", {b_.op("Greater", {ids, b_.ints({0})})}, {{"to", std::int64_t{1}}});
    mask_ = b_.op("Unsqueeze", {seen, b_.ints({1, 2})});
    if (form_ == Form::post_norm) x = norm(x, 1, 5);
    for (const std::uint32_t number : layers) {
      x = layer(x, number);
      if (show_first && number == layers.front()) b_.graph.add_output(x);
    }
    if (form_ != Form::post_norm) x = norm(x, 1, 6);
    const ValueId pooled =
        b_.op("ReduceMean", {x}, {{"axes", Builder::Ints{1}}, {"keepdims", std::int64_t{0}}});
    const ValueId logits = b_.matmul(pooled, weight({kWidth, kClasses}, 1, 7));
    b_.graph.mutable_value(logits).dtype = DType::float32;
    b_.output(logits);
    Model model;
    model.ir_version = 8;
    model.opsets = {{"", 17}};
    model.graph = b_.graph;
    return model;
  }

 private:
  using Builder = test::Builder;

  ValueId weight(Dims dims, std::uint32_t layer, std::uint32_t number, float size = 0.5F) {
    return b_.graph.add_constant("weight",
                                 test::noise(std::move(dims), size, layer * 100 + number));
  }
  ValueId linear(ValueId x, std::int64_t in, std::int64_t out, std::uint32_t l, std::uint32_t n) {
    return b_.add(b_.matmul(x, weight({in, out}, l, n)), weight({out}, l, n + 1));
  }
  ValueId norm(ValueId x, std::uint32_t l, std::uint32_t n) {
    return b_.op("LayerNormalization", {x, weight({kWidth}, l, n, 1), weight({kWidth}, l, n + 1)});
  }

  ValueId attention(ValueId x, std::uint32_t l) {
    const auto part = [&](std::uint32_t n) {
      return b_.split_heads(linear(x, kWidth, kWidth, l, n), 2, kWidth / 2);
    };
    const ValueId scores =
        b_.mul(b_.matmul(part(10), b_.transpose(part(12), {0, 1, 3, 2})), b_.number(0.35F));
    const ValueId context = b_.matmul(b_.softmax(b_.add(scores, mask_)), part(14));
    return linear(b_.join_heads(context, kWidth), kWidth, kWidth, l, 16);
  }
  ValueId branch(ValueId x, std::uint32_t l) {
    return linear(b_.gelu(linear(x, kWidth, kHidden, l, 20)), kHidden, kWidth, l, 22);
  }

  ValueId layer(ValueId x, std::uint32_t l) {
    switch (form_) {
      case Form::pre_norm:
        x = b_.add(x, attention(norm(x, l, 30), l));
        return b_.add(x, branch(norm(x, l, 32), l));
      case Form::post_norm:
        x = norm(b_.add(attention(x, l), x), l, 30);
        return norm(b_.add(branch(x, l), x), l, 32);
      case Form::parallel:
        return b_.add(x, b_.add(attention(norm(x, l, 30), l), branch(norm(x, l, 32), l)));
    }
    return kNoValue;
  }

  Form form_;
  Builder b_;
  ValueId mask_ = kNoValue;
};

Tensor words(std::int64_t samples, std::uint32_t seed) {
  std::vector<std::int64_t> ids;
  std::mt19937 random(seed);
  for (std::int64_t i = 0; i < samples * 6; ++i) {
    ids.push_back(static_cast<std::int64_t>(random() % kWords));
  }
  return Tensor::of<std::int64_t>({samples, 6}, std::move(ids));
}

Calibration calibration(const Model& model, std::int64_t samples = 48) {
  return {CalibrationSet(Dataset::of_arrays({{"ids", words(samples, 5)}}, {}),
                         input_specs(model.graph), 16),
          {}};
}

OptionValues named(std::vector<std::string> layers) {
  return {{"layers", std::move(layers)}};
}

std::string refusal(Model model, const OptionValues& options, const Calibration* data = nullptr) {
  try {
    test::run_pass(model, "drop_layers", options, data);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class DropLayers : public testing::TestWithParam<Form> {};

TEST_P(DropLayers, LeavesTheModelThatIsBuiltFromTheOthers) {
  const TensorMap inputs{{"ids", words(4, 9)}};
  const std::vector<std::vector<std::uint32_t>> left{{3, 4}, {2, 4}, {2, 3}};
  for (std::size_t gone = 0; gone < left.size(); ++gone) {
    Model model = Stack(GetParam()).model({2, 3, 4});
    const auto found = find_layers(model.graph, TransformerView::of(model));
    ASSERT_EQ(found.layers.size(), 3U);
    EXPECT_TRUE(found.unplaced.empty());
    EXPECT_EQ(found.layers[gone].post_norm, GetParam() == Form::post_norm);
    const std::int64_t before = weight_bytes(model.graph);
    test::run_pass(model, "drop_layers", named({std::to_string(gone)}));
    const Model expected = Stack(GetParam()).model(left[gone]);
    EXPECT_EQ(weight_bytes(model.graph), weight_bytes(expected.graph));
    EXPECT_EQ(model.graph.nodes().size(), expected.graph.nodes().size());
    const auto logits = [](const TensorMap& outputs) { return outputs.begin()->second; };
    EXPECT_EQ(logits(test::run_model(model, inputs)).to_doubles(),
              logits(test::run_model(expected, inputs)).to_doubles());
    EXPECT_LT(weight_bytes(model.graph), before);
  }
}

TEST_P(DropLayers, TakesSeveralInAnyOrder) {
  const TensorMap inputs{{"ids", words(4, 9)}};
  Model model = Stack(GetParam()).model({2, 3, 4, 5});
  test::run_pass(model, "drop_layers", named({"2", "1"}));
  const Model expected = Stack(GetParam()).model({2, 5});
  EXPECT_EQ(weight_bytes(model.graph), weight_bytes(expected.graph));
  EXPECT_EQ(test::run_model(model, inputs).begin()->second.to_doubles(),
            test::run_model(expected, inputs).begin()->second.to_doubles());
}

TEST_P(DropLayers, TakesTheLayerWithoutWhichTheLogitsChangeLeast) {
  const Model original = Stack(GetParam()).model({2, 3, 4, 5});
  const TensorMap inputs{{"ids", words(48, 5)}};
  const auto reference = test::run_model(original, inputs).begin()->second.to_doubles();
  std::vector<double> distance;  // by hand, layer by layer: KL
  for (std::size_t i = 0; i < 4; ++i) {
    Model one = original;
    test::run_pass(one, "drop_layers", named({std::to_string(i)}));
    const auto logits = test::run_model(one, inputs).begin()->second.to_doubles();
    double sum = 0;
    for (std::size_t row = 0; row < 48; ++row) {
      double a = 0;
      double b = 0;
      for (std::size_t c = 0; c < kClasses; ++c) {
        a += std::exp(reference[row * kClasses + c]);
        b += std::exp(logits[row * kClasses + c]);
      }
      for (std::size_t c = 0; c < kClasses; ++c) {
        const double p = reference[row * kClasses + c] - std::log(a);
        sum += std::exp(p) * (p - logits[row * kClasses + c] + std::log(b));
      }
    }
    distance.push_back(sum / 48);
  }
  Model model = original;
  const Calibration data = calibration(original);
  ThreadPool pool(2);
  PassContext context(model, pool, {}, &data);
  const auto pass = make_pass("drop_layers", {});
  const PassResult result = pass->apply(pass->plan(context), context);
  EXPECT_EQ(result.changed, 1U);
  EXPECT_EQ(result.kept.size(), 3U);
  const auto least =
      static_cast<std::size_t>(std::ranges::min_element(distance) - distance.begin());
  EXPECT_FALSE(result.kept.contains(least));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(result.figures.at(i)[0].first, "kl");
    EXPECT_NEAR(result.figures.at(i)[0].second, distance[i], 1e-5 + 1e-3 * distance[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, DropLayers,
                         testing::Values(Form::pre_norm, Form::post_norm, Form::parallel));

TEST(DropLayersRefusals, ALayerThatIsReadElsewhereStays) {
  Model model = Stack(Form::post_norm).model({2, 3, 4}, /*show_first=*/true);
  const auto pass = make_pass("drop_layers", named({"1"}));
  ThreadPool pool(1);
  PassContext context(model, pool);
  EXPECT_EQ(pass->plan(context).changes(), 1U);
  // What leaves the first layer is shown, but is not inside it: the output stays, by its name.
  Model first = model;
  test::run_pass(first, "drop_layers", named({"0"}));
  EXPECT_EQ(test::run_model(first, {{"ids", words(2, 3)}}).size(), 2U);
}

TEST(DropLayersRefusals, OptionsThatCanNotBe) {
  const Model model = Stack(Form::pre_norm).model({2, 3});
  const Calibration data = calibration(model);
  EXPECT_THAT(refusal(model, named({"2"})), HasSubstr("there is no layer 2"));
  EXPECT_THAT(refusal(model, named({"0", "1"})), HasSubstr("at least one must stay"));
  EXPECT_THAT(refusal(model, named({"*nothing*"})), HasSubstr("nothing"));
  EXPECT_THAT(refusal(model, {{"count", std::int64_t{2}}}, &data), HasSubstr("at least one"));
  EXPECT_THAT(refusal(model, {{"count", std::int64_t{0}}}, &data), HasSubstr("count"));
  EXPECT_THAT(refusal(model, {}), HasSubstr("measured on samples"));
  for (const double ratio : {-0.5, 1.0, 2.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(refusal(model, {{"ratio", ratio}}, &data), HasSubstr("ratio"));
  }
}

TEST(DropLayersRefusals, AModelWithoutLayers) {
  test::Builder b;
  b.output(b.linear(b.state(8), 8, 4));
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 17}};
  model.graph = b.graph;
  EXPECT_THAT(refusal(model, named({"0"})), HasSubstr("no whole layer was found"));
}

}  // namespace
}  // namespace onnxpress
