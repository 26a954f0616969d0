// SPDX-License-Identifier: Apache-2.0
// Each rule on a small graph: the nodes are those of the new opset, and the outputs are the same
// bits.
#include "passes/opset/raise_opset.h"

#include <gmock/gmock.h>

#include <fmt/format.h>

#include "exec/session.h"
#include "onnxpress/error.h"
#include "passes/opset/history.h"
#include "passes/run_pass.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

using testing::HasSubstr;
using testing::Not;

Model at_opset(std::int64_t opset, std::string_view graph) {
  return test::parse(fmt::format("<ir_version: 4, opset_import: [\"\" : {}]> {}", opset, graph));
}

Tensor counting(Dims dims) {
  const auto count = static_cast<std::size_t>(*element_count(dims));
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>((i * 7) % 11) - 4;
  return Tensor::of<float>(std::move(dims), std::move(values));
}

TensorMap run_plainly(const Model& model, const TensorMap& inputs) {
  return Session(model, {.threads = 1, .reference_kernels = true, .fuse = false}).run(inputs);
}

// The model raised from one opset to another, which computes the same from "x".
Model expect_same(std::int64_t from, std::int64_t to, std::string_view graph, const Tensor& x) {
  Model model = at_opset(from, graph);
  const TensorMap expected = run_plainly(model, {{"x", x}});
  raise_opset(model, to);
  model.graph.verify();
  EXPECT_EQ(model.opset(), to);
  EXPECT_TRUE(test::identical(expected, run_plainly(model, {{"x", x}}))) << to_text(model.graph);
  return model;
}

std::string refusal(std::int64_t from, std::int64_t to, std::string_view graph) {
  Model model = at_opset(from, graph);
  const std::string before = to_text(model.graph);
  try {
    raise_opset(model, to);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_EQ(to_text(model.graph), before) << "a refused model stays as it was";
    EXPECT_EQ(model.opset(), from);
    return error.what();
  }
  return "";
}

const Node& only_node(const Model& model) {
  EXPECT_EQ(model.graph.nodes().size(), 1U) << to_text(model.graph);
  return model.graph.node(model.graph.nodes()[0]);
}

std::vector<std::int64_t> integers(const Model& model, const Node& node, std::size_t input) {
  const Tensor* tensor = model.graph.constant(node.input(input));
  return tensor == nullptr ? std::vector<std::int64_t>{} : tensor->to_int64s();
}

TEST(RaiseOpset, AxesOfSqueezeAndUnsqueezeBecomeInputs) {
  const Model model =
      expect_same(11, 21, "g (float[1,3,1] x) => (float[3,1] y) { y = Squeeze <axes = [0]> (x) }",
                  counting({1, 3, 1}));
  EXPECT_EQ(integers(model, only_node(model), 1), std::vector<std::int64_t>{0});
  EXPECT_FALSE(only_node(model).attributes.has("axes"));
  EXPECT_EQ(model.ir_version, 10);
  expect_same(9, 13, "g (float[1,3,1] x) => (float[3] y) { y = Squeeze (x) }", counting({1, 3, 1}));
  expect_same(11, 13, "g (float[3] x) => (float[1,3,1] y) { y = Unsqueeze <axes = [0, -1]> (x) }",
              counting({3}));
}

TEST(RaiseOpset, EqualListsAreOneConstant) {
  const Model model = expect_same(
      11, 21,
      "g (float[3] x) => (float[1,1,3] y) { a = Unsqueeze <axes = [0]> (x) y = Unsqueeze <axes = "
      "[0]> (a) }",
      counting({3}));
  EXPECT_EQ(weight_bytes(model.graph), 8);
}

TEST(RaiseOpset, AxesOfReductionsBecomeInputs) {
  for (const std::string op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2",
                               "ReduceProd", "ReduceSumSquare"}) {
    const std::string graph = "g (float[2,3,4] x) => (float[2,1,4] y) { y = " + op;
    const Model model = expect_same(11, 21, graph + " <axes = [1]> (x) }", counting({2, 3, 4}));
    EXPECT_EQ(integers(model, only_node(model), 1), std::vector<std::int64_t>{1}) << op;
    const Model all = expect_same(9, 21, graph + " (x) }", counting({2, 3, 4}));
    EXPECT_EQ(only_node(all).inputs.size(), 1U) << op;
    // At opset 13 only ReduceSum has changed.
    const Model half_way = expect_same(11, 13, graph + " <axes = [1]> (x) }", counting({2, 3, 4}));
    EXPECT_EQ(only_node(half_way).attributes.has("axes"), op != "ReduceSum") << op;
  }
}

TEST(RaiseOpset, SlicesSplitsAndTopKReadInputs) {
  expect_same(
      9, 21,
      "g (float[4,5] x) => (float[2,3] y) { y = Slice <axes = [0, 1], starts = [1, 0], ends = [3, "
      "-2]> (x) }",
      counting({4, 5}));
  const Model sizes = expect_same(
      11, 21,
      "g (float[5,2] x) => (float[2,2] a, float[3,2] b) { a, b = Split <axis = 0, split = [2, 3]> "
      "(x) }",
      counting({5, 2}));
  EXPECT_FALSE(only_node(sizes).attributes.has("num_outputs"));
  const Model equal = expect_same(
      13, 21, "g (float[6,2] x) => (float[3,2] a, float[3,2] b) { a, b = Split <axis = 0> (x) }",
      counting({6, 2}));
  EXPECT_EQ(only_node(equal).attributes.get_int("num_outputs", 0), 2);
  expect_same(
      9, 21,
      "g (float[2,5] x) => (float[2,3] v, int64[2,3] i) { v, i = TopK <axis = 1, k = 3> (x) }",
      counting({2, 5}));
}

TEST(RaiseOpset, ClipAndPadReadNumbersOfTheTensorsType) {
  const Model model =
      expect_same(9, 21, "g (float[6] x) => (float[6] y) { y = Clip <min = -1.5, max = 2.5> (x) }",
                  counting({6}));
  EXPECT_EQ(model.graph.constant(only_node(model).input(1))->dtype(), DType::float32);
  expect_same(10, 11, "g (float[6] x) => (float[6] y) { y = Clip <max = 2.5> (x) }", counting({6}));
  expect_same(
      9, 21,
      "g (float[2,3] x) => (float[3,6] y) { y = Pad <pads = [1, 0, 0, 3], value = 7.0> (x) }",
      counting({2, 3}));
  expect_same(10, 21,
              "g (float[2,3] x) => (float[2,5] y) { y = Pad <mode = \"reflect\", pads = [0, 1, 0, "
              "1]> (x) }",
              counting({2, 3}));
  Model half =
      at_opset(9, "g (float16[6] x) => (float16[6] y) { y = Clip <min = 0.0, max = 6.0> (x) }");
  raise_opset(half, 21);
  EXPECT_EQ(half.graph.constant(only_node(half).input(2))->dtype(), DType::float16);
}

TEST(RaiseOpset, SoftmaxOverTheLastAxisStaysOneNode) {
  for (const std::string op : {"Softmax", "LogSoftmax"}) {
    const Model last = expect_same(
        11, 21, "g (float[2,3,4] x) => (float[2,3,4] y) { y = " + op + " <axis = 2> (x) }",
        counting({2, 3, 4}));
    EXPECT_EQ(only_node(last).attributes.get_int("axis", 0), 2);
    const Model by_default = expect_same(
        9, 13, "g (float[5,4] x) => (float[5,4] y) { y = " + op + " (x) }", counting({5, 4}));
    EXPECT_EQ(only_node(by_default).attributes.get_int("axis", 0), 1);
  }
}

TEST(RaiseOpset, SoftmaxOverSeveralAxesWorksOnFlatRows) {
  for (const std::string axis : {"", "<axis = 0>", "<axis = 1>"}) {
    const Model model = expect_same(
        11, 21, "g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax " + axis + " (x) }",
        counting({2, 3, 4}));
    EXPECT_THAT(model, test::HasOps("Shape", "Flatten", "Softmax", "Reshape")) << axis;
  }
  expect_same(11, 13, "g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax <axis = -2> (x) }",
              counting({2, 3, 4}));
}

TEST(RaiseOpset, DropoutPassesOnAndItsMaskMayNotBeRead) {
  const Model model = expect_same(
      9, 21, "g (float[4] x) => (float[4] y) { y = Dropout <ratio = 0.25> (x) }", counting({4}));
  EXPECT_EQ(model.graph.constant(only_node(model).input(1))->as<float>()[0], 0.25F);
  EXPECT_THAT(refusal(10, 21, "g (float[4] x) => (float[4] y, bool[4] m) { y, m = Dropout (x) }"),
              HasSubstr("its mask is read"));
  expect_same(10, 21, "g (float[4] x) => (float[4] y) { y, m = Dropout (x) }", counting({4}));
}

constexpr std::string_view kNormalization =
    "(float[2,2,3] x) => (float[2,2,3] y) <float[2] s = {1, 2}, float[2] b = {0, 1}, float[2] m = "
    "{0.5, 1}, float[2] v = {1, 4}> ";

TEST(RaiseOpset, BatchNormalizationOnlyForInference) {
  expect_same(9, 21,
              fmt::format("g {} {{ y = BatchNormalization (x, s, b, m, v) }}", kNormalization),
              counting({2, 2, 3}));
  EXPECT_THAT(refusal(9, 21,
                      fmt::format("g {} {{ y, n, w, sm, sv = BatchNormalization (x, s, b, m, v) }}",
                                  kNormalization)),
              HasSubstr("training mode"));
}

TEST(RaiseOpset, GroupNormalizationGetsScalesPerChannel) {
  Model model = at_opset(
      18,
      "g (float[1,4,2] x) => (float[1,4,2] y) <float[2] s = {2, 3}, float[2] b = {0, 1}> { y = "
      "GroupNormalization <num_groups = 2> (x, s, b) }");
  raise_opset(model, 21);
  const Tensor* scale = model.graph.constant(only_node(model).input(1));
  EXPECT_EQ(scale->to_doubles(), (std::vector<double>{2, 2, 3, 3}));
  EXPECT_THAT(refusal(18, 21,
                      "g (float[1,c,2] x) => (float[1,c,2] y) <float[2] s = {2, 3}, float[2] b = "
                      "{0, 1}> { y = GroupNormalization <num_groups = 2> (x, s, b) }"),
              HasSubstr("number of channels"));
}

TEST(RaiseOpset, UpsampleAndResizeKeepTheirPixels) {
  const std::string text =
      "(float[1,1,2,3] x) => (float[1,1,4,6] y) <float[4] s = {1, 1, 2, 2}> { y = ";
  Model up = at_opset(9, "g " + text + "Upsample <mode = \"nearest\"> (x, s) }");
  raise_opset(up, 21);
  const Attributes& a = only_node(up).attributes;
  EXPECT_TRUE(only_node(up).is("Resize"));
  EXPECT_EQ(a.get_string("coordinate_transformation_mode", ""), "asymmetric");
  EXPECT_EQ(a.get_string("nearest_mode", ""), "floor");
  EXPECT_EQ(only_node(up).input(1), kNoValue);
  Model resize = at_opset(10, "g " + text + "Resize <mode = \"linear\"> (x, s) }");
  raise_opset(resize, 11);
  EXPECT_EQ(resize.graph.constant(only_node(resize).input(1))->size(), 0);
  EXPECT_FALSE(only_node(resize).attributes.has("nearest_mode"));
  EXPECT_THAT(
      refusal(10, 21, "g (float[1,2] x, float[2] s) => (float[a,b] y) { y = Resize (x, s) }"),
      HasSubstr("scales that are computed"));
  EXPECT_THAT(refusal(11, 21,
                      "g (float[1,2] x, float[2] s) => (float[a,b] y) <float[0] r = {}> { y = "
                      "Resize <coordinate_transformation_mode = \"tf_half_pixel_for_nn\"> (x, r, "
                      "s) }"),
              HasSubstr("tf_half_pixel_for_nn"));
}

TEST(RaiseOpset, RenamesScatterAndModes) {
  Model scatter = at_opset(
      9, "g (float[3] x, int64[1] i, float[1] u) => (float[3] y) { y = Scatter (x, i, u) }");
  raise_opset(scatter, 21);
  EXPECT_TRUE(only_node(scatter).is("ScatterElements"));
  Model grid = at_opset(16,
                        "g (float[1,1,2,2] x, float[1,2,2,2] p) => (float[1,1,2,2] y) { y = "
                        "GridSample (x, p) }");
  raise_opset(grid, 21);
  EXPECT_EQ(only_node(grid).attributes.get_string("mode", ""), "linear");
  Model roi = at_opset(10,
                       "g (float[1,1,4,4] x, float[1,4] r, int64[1] b) => (float[1,1,1,1] y) { y = "
                       "RoiAlign (x, r, b) }");
  raise_opset(roi, 21);
  EXPECT_EQ(only_node(roi).attributes.get_string("coordinate_transformation_mode", ""),
            "output_half_pixel");
}

TEST(RaiseOpset, RefusesPoolingAndPaddingThatMovesValues) {
  EXPECT_THAT(refusal(11, 21,
                      "g (float[1,1,5] x) => (float[1,1,3] y) { y = AveragePool <kernel_shape = "
                      "[2], strides = [2], ceil_mode = 1> (x) }"),
              HasSubstr("AveragePool) can't be raised to opset 19"));
  EXPECT_THAT(refusal(10, 21,
                      "g (float[1,1,5] x, float[1,1,2] w) => (float[1,1,10] y) { y = ConvTranspose "
                      "<auto_pad = \"SAME_UPPER\", strides = [2]> (x, w) }"),
              HasSubstr("the other side"));
}

TEST(RaiseOpset, BodiesAreRaisedWithTheirGraph) {
  Model model = at_opset(
      10,
      "g (float[1,3] x, bool c) => (float[3] y) { ints_0 = Relu (x) y = If (c) <then_branch = t () "
      "=> (float[3] a) { a = Squeeze <axes = [0]> (x) }, else_branch = e () => (float[3] b) { z = "
      "Clip <min = 0.0> (ints_0) b = Squeeze <axes = [0]> (z) }> }");
  EXPECT_EQ(raise_opset(model, 21),
            (std::map<std::string, std::size_t>{{"Clip", 1}, {"Squeeze", 2}}));
  model.graph.verify();
  const std::string text = to_text(model.graph);
  EXPECT_THAT(text, Not(HasSubstr("axes")));
  EXPECT_THAT(text, Not(HasSubstr("min =")));
  // A new name does not hide one of the graph around.
  EXPECT_THAT(text, HasSubstr("ints_0_1"));
}

TEST(RaiseOpset, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(refusal(8, 21, "g (float[2] x) => (float[2] y) { y = Relu (x) }"),
              HasSubstr("only 9 to 21"));
  // An operator that another tool put into ONNX's domain before it was there.
  EXPECT_THAT(refusal(12, 21, "g (float[2] x) => (float[2] y) { y = Gelu (x) }"),
              HasSubstr("came with opset 20"));
  Model model = at_opset(12, "g (float[2] x) => (float[2] y) { y = Relu (x) }");
  model.functions.emplace_back("\n\x01");
  EXPECT_THROW(raise_opset(model, 21), Error);
  Model newer = at_opset(17, "g (float[2] x) => (float[2] y) { y = Relu (x) }");
  EXPECT_TRUE(raise_opset(newer, 13).empty());
  EXPECT_EQ(newer.opset(), 17);
}

TEST(OperatorHistory, IsInAlphabeticalOrderWithRisingVersions) {
  std::string_view last;
  for (const OperatorHistory& history : operator_histories()) {
    EXPECT_LT(last, history.op_type);
    last = history.op_type;
    std::int64_t version = kOldestRaisable;
    for (const OperatorChange& change : history.changes) {
      EXPECT_LT(version, change.version) << history.op_type;
      version = change.version;
      EXPECT_LE(version, kNewestRaised);
    }
    EXPECT_EQ(next_change(history.op_type, version, kNewestRaised), nullptr);
    EXPECT_EQ(next_change(history.op_type, kOldestRaisable, kNewestRaised), &history.changes[0]);
  }
}

}  // namespace
}  // namespace onnxpress
