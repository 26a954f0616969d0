// SPDX-License-Identifier: Apache-2.0
// Attention in other forms: partly packed, of computed sizes, as one operator, with a Softmax
// written out.
#include <gtest/gtest.h>

#include "model/builder.h"
#include "model/expected_block.h"
#include "model/transformer_view.h"

namespace onnxpress {
namespace {

using namespace test;  // NOLINT: the roles' short names

TEST(Attention, PackedKeysAndValuesBesideAQuery) {
  Builder b;
  const ValueId x = b.state(64);
  const ValueId query = b.split_heads(b.linear(x, 64, 64), 4, 16);
  const ValueId both = b.split_heads(b.linear(x, 64, 64), 2, 32);
  const auto parts = b.ops("Split", {both}, 2, {{"axis", std::int64_t{-1}}});
  const ValueId context = b.attend(query, parts[0], parts[1], 0.25F);
  b.output(b.add(x, b.linear(b.join_heads(context, 64), 64, 64)));
  expect_block(TransformerView::of(b.graph), {4, 2, 16, QkvPacking::partly, {q, kv, o}});
}

TEST(Attention, ScaleAndSizesComputedFromShapes) {
  // PyTorch's scaled_dot_product_attention, exported before its shapes are known.
  Builder b;
  const ValueId x = b.state(64);
  const ValueId shape = b.op("Shape", {x});
  const auto heads = [&](ValueId value) {
    const ValueId dims = b.concat({b.slice(shape, 0, 2, 0), b.ints({-1}), b.ints({16})}, 0);
    return b.transpose(b.op("Reshape", {value, dims}), {0, 2, 1, 3});
  };
  const ValueId query = heads(b.linear(x, 64, 64));
  const ValueId key = heads(b.linear(x, 64, 64));
  const ValueId value = heads(b.linear(x, 64, 64));
  const ValueId size =
      b.op("Cast", {b.slice(b.op("Shape", {query}), -1, INT64_MAX, 0)}, {{"to", std::int64_t{1}}});
  const ValueId root = b.op("Sqrt", {b.op("Div", {b.number(1), b.op("Sqrt", {size})})});
  const ValueId scores = b.matmul(b.mul(query, root), b.mul(b.transpose(key, {0, 1, 3, 2}), root));
  const ValueId probabilities = b.softmax(scores);
  const ValueId safe = b.op("Where", {b.op("IsNaN", {probabilities}), b.number(0), probabilities});
  b.output(b.add(x, b.linear(b.join_heads(b.matmul(safe, value), 64), 64, 64)));
  expect_block(TransformerView::of(b.graph), {4, 4, 16, QkvPacking::separate, {q, k, v, o}});
}

TEST(Attention, OperatorsThatComputeAllOfAttention) {
  const auto build = [](std::string_view op, std::string_view domain, Attributes attributes) {
    Builder b;
    const ValueId x = b.state(64);
    const ValueId query = b.linear(x, 64, 64);
    const ValueId key = b.linear(x, 64, 32);
    const ValueId value = b.linear(x, 64, 32);
    const ValueId context = b.op(op, {query, key, value}, std::move(attributes), domain);
    b.output(b.op("SkipLayerNormalization",
                  {b.linear(context, 64, 64), x, b.tensor({64}), b.tensor({64})}, {},
                  "com.microsoft"));
    return TransformerView::of(b.graph);
  };
  const Expected want{4, 2, 16, QkvPacking::separate, {q, k, v, o}};
  expect_block(
      build("Attention", "", {{"q_num_heads", std::int64_t{4}}, {"kv_num_heads", std::int64_t{2}}}),
      want);
  const auto view = build("GroupQueryAttention", "com.microsoft",
                          {{"num_heads", std::int64_t{4}},
                           {"kv_num_heads", std::int64_t{2}},
                           {"do_rotary", std::int64_t{1}}});
  expect_block(view, want);
  EXPECT_TRUE(view.attentions()[0].fused);
  EXPECT_TRUE(view.attentions()[0].rotary);
  EXPECT_EQ(view.norms().size(), 1U);
}

TEST(Attention, ASoftmaxIsWrittenOut) {
  Builder b;
  const ValueId x = b.state(64);
  const auto part = [&] { return b.split_heads(b.linear(x, 64, 64), 4, 16); };
  const ValueId query = part();
  const ValueId key = part();
  const ValueId value = part();
  const ValueId scores = b.mul(b.matmul(query, b.transpose(key, {0, 1, 3, 2})), b.number(0.25F));
  const ValueId top = b.op("ReduceMax", {scores}, {{"axes", Builder::Ints{-1}}});
  const ValueId powers = b.op("Exp", {b.op("Sub", {scores, top})});
  const ValueId total = b.op("ReduceSum", {powers, b.ints({-1})});
  const ValueId context = b.matmul(b.op("Div", {powers, total}), value);
  b.output(b.add(x, b.linear(b.join_heads(context, 64), 64, 64)));
  expect_block(TransformerView::of(b.graph), {4, 4, 16, QkvPacking::separate, {q, k, v, o}});
}

TEST(Attention, ASoftmaxOverExpertsIsNoAttention) {
  Builder b;
  const ValueId x = b.state(64);
  const ValueId routing = b.softmax(b.linear(x, 64, 64));
  b.output(b.linear(b.mul(routing, x), 64, 64));
  const auto view = TransformerView::of(b.graph);
  EXPECT_TRUE(view.attentions().empty());
  EXPECT_EQ(view.units().size(), 2U);
}

}  // namespace
}  // namespace onnxpress
