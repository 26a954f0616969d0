// SPDX-License-Identifier: Apache-2.0
// Which products are linear units, what is known of them, and why the others are none.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "model/builder.h"
#include "model/transformer_view.h"

namespace onnxpress {
namespace {

using test::Builder;

// The view of x·W with a weight that the test prepares.
struct Case {
  Builder b;
  ValueId x = b.state(64);

  TransformerView view(ValueId y) {
    b.output(y);
    return TransformerView::of(b.graph);
  }
};

void expect_refused(const TransformerView& view, RefusalKind kind) {
  ASSERT_EQ(view.products().size(), 1U);
  const ProductRow& row = view.products()[0];
  ASSERT_FALSE(row.why_not.empty());
  EXPECT_EQ(name(row.why_not[0].kind), name(kind)) << row.why_not[0].text;
  EXPECT_FALSE(row.why_not[0].text.empty());
}

TEST(LinearUnits, SeeThroughWhatStandsBeforeTheWeight) {
  Case c;
  const ValueId stored = c.b.tensor({96, 64});
  const ValueId kept = c.b.op("Identity", {stored});
  const ValueId turned = c.b.transpose(kept, {1, 0});
  const ValueId bias = c.b.tensor({96});
  const ValueId product = c.b.matmul(c.x, turned);
  const auto view = c.view(c.b.add(bias, product));
  ASSERT_EQ(view.units().size(), 1U);
  const LinearUnit& unit = view.units()[0];
  EXPECT_EQ(unit.weight, stored);
  EXPECT_EQ(unit.weight_path.size(), 2U);
  EXPECT_EQ(unit.layout, WeightLayout::out_in);
  EXPECT_EQ(unit.in, 64);
  EXPECT_EQ(unit.out, 96);
  EXPECT_EQ(unit.weight_bytes, 64 * 96 * 4);
  EXPECT_EQ(unit.bias, bias);
  EXPECT_TRUE(unit.bias_add.has_value());
  EXPECT_EQ(unit.output, product);
  EXPECT_EQ(unit.input, c.x);
  EXPECT_TRUE(unit.compressible());
  EXPECT_EQ(view.unit_of(unit.product), 0U);
}

TEST(LinearUnits, ReadGemm) {
  Case c;
  const ValueId flat = c.b.reshape(c.x, {-1, 64});
  const ValueId weight = c.b.tensor({96, 64});
  const ValueId bias = c.b.tensor({96});
  const auto view = c.view(c.b.op("Gemm", {flat, weight, bias}, {{"transB", std::int64_t{1}}}));
  ASSERT_EQ(view.units().size(), 1U);
  const LinearUnit& unit = view.units()[0];
  EXPECT_EQ(unit.layout, WeightLayout::out_in);
  EXPECT_EQ(unit.in, 64);
  EXPECT_EQ(unit.out, 96);
  EXPECT_EQ(unit.bias, bias);
  EXPECT_FALSE(unit.bias_add);
  EXPECT_EQ(unit.role, UnitRole::head);
}

TEST(LinearUnits, RefuseAGemmThatScales) {
  Case c;
  const ValueId flat = c.b.reshape(c.x, {-1, 64});
  expect_refused(c.view(c.b.op("Gemm", {flat, c.b.tensor({64, 96})}, {{"alpha", 0.5F}})),
                 RefusalKind::scaled);
}

TEST(LinearUnits, RefuseWhatIsComputed) {
  Case c;
  expect_refused(c.view(c.b.matmul(c.x, c.b.transpose(c.b.op("Tanh", {c.x}), {0, 2, 1}))),
                 RefusalKind::computed);
  Case folded;
  const ValueId weight = folded.b.mul(folded.b.tensor({64, 64}), folded.b.number(2));
  const auto view = folded.view(folded.b.matmul(folded.x, weight));
  expect_refused(view, RefusalKind::computed);
  EXPECT_NE(view.products()[0].why_not[0].text.find("fold them first"), std::string::npos);
}

TEST(LinearUnits, RefuseAWeightThatCallersMayReplace) {
  Case c;
  const ValueId weight = c.b.graph.add_input("w", DType::float32, Shape{{64, ""}, {64, ""}});
  c.b.graph.set_constant(weight, Tensor::of<float>({64, 64}, std::vector<float>(4096, 1)));
  expect_refused(c.view(c.b.matmul(c.x, weight)), RefusalKind::overridable);
}

TEST(LinearUnits, RefuseOtherRanksAndSides) {
  Case batch;
  expect_refused(batch.view(batch.b.matmul(batch.x, batch.b.tensor({2, 64, 64}))),
                 RefusalKind::not_a_matrix);
  Case left;
  expect_refused(left.view(left.b.matmul(left.b.tensor({64, 64}), left.x)),
                 RefusalKind::left_operand);
}

TEST(LinearUnits, SeeAMatrixThatIsStoredInAnotherShape) {
  Case keras;  // [in, heads, size]
  const ValueId stored = keras.b.tensor({64, 4, 24});
  const auto view = keras.view(keras.b.matmul(keras.x, keras.b.reshape(stored, {64, -1})));
  ASSERT_EQ(view.units().size(), 1U);
  EXPECT_EQ(view.units()[0].in, 64);
  EXPECT_EQ(view.units()[0].out, 96);
  EXPECT_EQ(view.units()[0].weight, stored);
  ASSERT_EQ(view.units()[0].why_not.size(), 1U);
  EXPECT_EQ(view.units()[0].why_not[0].kind, RefusalKind::not_a_matrix);
  Case other;  // a matrix of other sizes
  const ValueId flat = other.b.tensor({32, 128});
  const auto reshaped = other.view(other.b.matmul(other.x, other.b.reshape(flat, {64, 64})));
  ASSERT_EQ(reshaped.units().size(), 1U);
  EXPECT_EQ(reshaped.units()[0].out, 64);
  EXPECT_FALSE(reshaped.units()[0].compressible());
  Case same;  // nothing changes
  const ValueId kept = same.b.reshape(same.b.transpose(same.b.tensor({96, 64}), {1, 0}), {64, 96});
  const auto plain = same.view(same.b.matmul(same.x, kept));
  ASSERT_EQ(plain.units().size(), 1U);
  EXPECT_TRUE(plain.units()[0].compressible());
  EXPECT_EQ(plain.units()[0].layout, WeightLayout::out_in);
}

TEST(LinearUnits, RefuseAWeightThatSomethingElseReads) {
  Case c;
  const ValueId weight = c.b.tensor({64, 64});
  const ValueId norm = c.b.op("ReduceSum", {weight});
  expect_refused(c.view(c.b.add(c.b.matmul(c.x, weight), norm)), RefusalKind::used_elsewhere);
  Case shared;  // by another unit: fine, and said
  const ValueId both = shared.b.tensor({64, 64});
  const auto view = shared.view(shared.b.matmul(shared.b.matmul(shared.x, both), both));
  ASSERT_EQ(view.units().size(), 2U);
  EXPECT_TRUE(view.units()[0].compressible());
  EXPECT_TRUE(view.units()[0].weight_shared);
}

TEST(LinearUnits, RefuseTinyAndOtherTypes) {
  Case tiny;
  expect_refused(tiny.view(tiny.b.matmul(tiny.x, tiny.b.tensor({64, 2}))), RefusalKind::tiny);
  Case whole;
  const ValueId ints = whole.b.graph.add_constant(
      "w", Tensor::of<std::int32_t>({64, 64}, std::vector<std::int32_t>(4096, 1)));
  const ValueId x = whole.b.graph.add_input("i", DType::int32, std::nullopt);
  expect_refused(whole.view(whole.b.matmul(x, ints)), RefusalKind::not_float);
}

TEST(LinearUnits, ListProductsInBodies) {
  Builder body;
  const ValueId captured = body.graph.add_capture("x", DType::float32);
  body.graph.add_output(body.matmul(captured, body.tensor({64, 64})));
  Builder b;
  const ValueId x = b.state(64);
  const ValueId condition = b.graph.add_input("c", DType::boolean, Shape{});
  Node branch;
  branch.op_type = "If";
  branch.name = "choice";
  branch.inputs = {condition};
  branch.outputs = {b.graph.add_value("y")};
  branch.captures = {x, x};
  branch.attributes.set("then_branch", Subgraph(body.graph));
  branch.attributes.set("else_branch", Subgraph(body.graph));
  const ValueId y = branch.outputs[0];
  b.graph.add_node(std::move(branch));
  b.graph.add_output(y);
  const auto view = TransformerView::of(b.graph);
  ASSERT_EQ(view.products().size(), 2U);
  EXPECT_TRUE(view.units().empty());
  EXPECT_FALSE(view.products()[0].node);
  EXPECT_EQ(view.products()[0].why_not[0].kind, RefusalKind::in_body);
  EXPECT_NE(view.products()[0].why_not[0].text.find("choice"), std::string::npos);
}

TEST(LinearUnits, HaveLabelsThatDiffer) {
  Case c;
  const ValueId shared = c.b.tensor({64, 64});
  ValueId y = c.x;
  for (int i = 0; i < 5; ++i) y = c.b.matmul(y, shared);
  const auto view = c.view(y);
  std::set<std::string> labels;
  for (const LinearUnit& unit : view.units()) labels.insert(unit.label);
  EXPECT_EQ(labels.size(), 5U);
  EXPECT_FALSE(labels.contains(""));
}

TEST(LinearUnits, KeepTheirLabelsWhenTheirWeightsAreReplaced) {
  const auto label = [](const char* node, const char* weight) {
    Builder b;
    const ValueId x = b.state(64);
    const ValueId w =
        b.graph.add_constant(weight, Tensor::of<float>({64, 64}, std::vector<float>(4096)));
    const ValueId y = b.matmul(x, w);
    b.graph.mutable_node(*b.graph.producer_id(y)).name = node;
    b.output(y);
    return TransformerView::of(b.graph).units()[0].label;
  };
  EXPECT_EQ(label("node_12", "layer.0.query.weight"), "layer.0.query");
  EXPECT_EQ(label("node_12_integer", "layer.0.query.weight_q"), "layer.0.query");
  EXPECT_EQ(label("node_12", "layer.0.query.weight_half"), "layer.0.query");
  EXPECT_EQ(label("/layer.0/query/MatMul", "onnx::MatMul_7"), "layer.0/query");
  EXPECT_EQ(label("/layer.0/query/MatMul_quant", "onnx::MatMul_7_quantized"), "layer.0/query");
  EXPECT_EQ(label("node_12", "val_3"), "node_12");
  EXPECT_EQ(label("", "val_3"), "MatMul");
}

TEST(LinearUnits, AreFoundInLinearTime) {
  // A tower of Identities over one weight, thousands of times: neither depth nor sharing may hurt.
  Case c;
  ValueId weight = c.b.tensor({64, 64});
  for (int i = 0; i < 3000; ++i)
    weight = c.b.graph.add("Identity", {weight}, {}, fmt::format("w{}", i));
  const auto view = c.view(c.b.matmul(c.x, weight));
  EXPECT_EQ(view.products().size(), 1U);
  EXPECT_TRUE(view.units().empty());
}

// y = dequantize(quantize(x) · Wq) + bias, as dynamic quantization writes it.
ValueId integer_linear(Builder& b, ValueId x, std::int64_t in, std::int64_t out) {
  const auto quantized = b.ops("DynamicQuantizeLinear", {x}, 3);
  const auto size = static_cast<std::size_t>(in * out);
  const ValueId weight = b.graph.add_constant(
      "wq", Tensor::of<std::int8_t>({in, out}, std::vector<std::int8_t>(size)));
  const ValueId product = b.op("MatMulInteger", {quantized[0], weight, quantized[2]});
  const ValueId wide = b.op("Cast", {product}, {{"to", std::int64_t{1}}});
  return b.add(b.mul(wide, b.mul(quantized[1], b.tensor({out}))), b.tensor({out}));
}

TEST(QuantizedUnits, AreSeenInTheirPlaces) {
  Builder b;
  const ValueId x = b.layer_norm(b.state(64), 64);
  const auto part = [&] { return b.split_heads(integer_linear(b, x, 64, 64), 4, 16); };
  const ValueId query = part();
  const ValueId key = part();
  const ValueId value = part();
  const ValueId context = b.attend(query, key, value, 0.25F);
  const ValueId y = b.add(x, integer_linear(b, b.join_heads(context, 64), 64, 64));
  const ValueId act = b.gelu(integer_linear(b, y, 64, 256));
  b.output(b.add(y, integer_linear(b, act, 256, 64)));
  const auto view = TransformerView::of(b.graph);
  ASSERT_EQ(view.units().size(), 6U);
  for (const LinearUnit& unit : view.units()) {
    ASSERT_EQ(unit.why_not.size(), 1U);
    EXPECT_EQ(unit.why_not[0].kind, RefusalKind::already_quantized);
    EXPECT_TRUE(unit.bias);
  }
  EXPECT_EQ(view.units()[0].input, x);
  EXPECT_EQ(view.units()[4].in, 64);
  EXPECT_EQ(view.units()[4].out, 256);
  ASSERT_EQ(view.attentions().size(), 1U);
  EXPECT_EQ(view.attentions()[0].heads, 4);
  EXPECT_EQ(view.feed_forwards().size(), 1U);
}

TEST(QuantizedUnits, BehindDequantizeLinearAndInBlocks) {
  Case c;
  const ValueId weight = c.b.graph.add_constant(
      "wq", Tensor::of<std::int8_t>({64, 64}, std::vector<std::int8_t>(4096)));
  const ValueId float_weight = c.b.op("DequantizeLinear", {weight, c.b.tensor({64})});
  const ValueId blocks = c.b.graph.add_constant(
      "wb", Tensor::of<std::uint8_t>({64, 2, 16}, std::vector<std::uint8_t>(2048)));
  const ValueId packed =
      c.b.op("MatMulNBits", {c.b.matmul(c.x, float_weight), blocks, c.b.tensor({128})},
             {{"K", std::int64_t{64}},
              {"N", std::int64_t{64}},
              {"bits", std::int64_t{4}},
              {"block_size", std::int64_t{32}}},
             "com.microsoft");
  const auto view = c.view(packed);
  ASSERT_EQ(view.units().size(), 2U);
  for (const LinearUnit& unit : view.units()) {
    EXPECT_EQ(unit.in, 64);
    EXPECT_EQ(unit.out, 64);
    ASSERT_FALSE(unit.why_not.empty());
    EXPECT_EQ(unit.why_not[0].kind, RefusalKind::already_quantized);
  }
}

}  // namespace
}  // namespace onnxpress
