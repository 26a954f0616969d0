// SPDX-License-Identifier: Apache-2.0
// Arrangements that the zoo does not have: each test writes one family's block by hand.
#include <gtest/gtest.h>

#include "model/builder.h"
#include "model/expected_block.h"
#include "model/transformer_view.h"

namespace onnxpress {
namespace {

using namespace test;  // NOLINT: the roles' short names

TEST(Families, FalconHasOneKeyAndValueHeadInOneProduct) {
  Builder b;
  const ValueId x = b.embed(b.ids(), 100, 64);
  const ValueId normed = b.layer_norm(x, 64);
  const ValueId fused = b.reshape(b.linear(normed, 64, 6 * 16, false), {0, 0, 6, 16});
  const auto part = [&](std::int64_t from, std::int64_t to) {
    return b.transpose(b.slice(fused, from, to, 2), {0, 2, 1, 3});
  };
  const ValueId query = b.rotary(part(0, -2), 16);
  const ValueId key = b.rotary(part(-2, -1), 16);
  const ValueId context = b.attend(query, key, part(-1, INT64_MAX), 0.25F);
  const ValueId attended = b.linear(b.join_heads(context, 64), 64, 64, false);
  const ValueId fed = b.linear(b.gelu(b.linear(normed, 64, 256, false)), 256, 64, false);
  b.output(b.add(b.add(attended, fed), x));
  const auto view = TransformerView::of(b.graph);
  expect_block(view, {4, 1, 16, QkvPacking::packed, {qkv, o, up, down}});
  EXPECT_TRUE(view.attentions()[0].rotary);
  EXPECT_EQ(view.feed_forwards().size(), 1U);
}

TEST(Families, BloomInterleavesPerHeadAndFoldsHeadsIntoTheBatch) {
  Builder b;
  const ValueId x = b.layer_norm(b.embed(b.ids(), 100, 64), 64);
  const ValueId fused = b.reshape(b.linear(x, 64, 192), {0, 0, 4, 3, 16});
  const auto part = [&](std::int64_t index) {
    const ValueId at = b.graph.add_constant("at", Tensor::scalar<std::int64_t>(index));
    const ValueId picked = b.op("Gather", {fused, at}, {{"axis", std::int64_t{3}}});
    return b.reshape(b.transpose(picked, {0, 2, 1, 3}), {-1, 8, 16});
  };
  const ValueId scores = b.matmul(part(0), b.transpose(part(1), {0, 2, 1}));
  const ValueId scaled = b.add(b.mul(scores, b.number(0.25F)), b.tensor({4, 1, 8}));  // alibi
  const ValueId masked = b.add(b.reshape(scaled, {-1, 4, 8, 8}), b.tensor({1, 1, 8, 8}));
  const ValueId probabilities = b.reshape(b.softmax(masked), {-1, 8, 8});
  const ValueId context = b.reshape(b.matmul(probabilities, part(2)), {-1, 4, 8, 16});
  const ValueId y = b.add(b.linear(b.join_heads(context, 64), 64, 64), x);
  b.output(b.feed_forward(y, 64, 256));
  expect_block(TransformerView::of(b.graph), {4, 4, 16, QkvPacking::packed, {qkv, o, up, down}});
}

TEST(Families, GptJRotatesPairsOfNeighbours) {
  Builder b;
  const ValueId ids = b.ids();
  const ValueId positions = b.ids();
  const ValueId x = b.layer_norm(b.embed(ids, 100, 64), 64);
  const ValueId sines = b.op("Unsqueeze", {b.embed(positions, 8, 16), b.ints({1})});
  const auto rotate = [&](ValueId value) {
    const ValueId even = b.slice(value, 0, INT64_MAX, 3, 2);
    const ValueId odd = b.slice(value, 1, INT64_MAX, 3, 2);
    const ValueId pairs = b.concat({b.op("Unsqueeze", {b.op("Neg", {odd}), b.ints({-1})}),
                                    b.op("Unsqueeze", {even, b.ints({-1})})});
    const ValueId turned = b.reshape(pairs, {0, 0, 0, -1});
    return b.add(b.mul(value, b.op("Cos", {sines})), b.mul(turned, b.op("Sin", {sines})));
  };
  const auto part = [&] { return b.split_heads(b.linear(x, 64, 64, false), 4, 16); };
  const ValueId query = rotate(part());
  const ValueId key = rotate(part());
  const ValueId context = b.attend(query, key, part(), 0.25F);
  const ValueId y = b.add(x, b.linear(b.join_heads(context, 64), 64, 64, false));
  b.output(b.linear(b.feed_forward(y, 64, 256), 64, 100));
  const auto view = TransformerView::of(b.graph);
  expect_block(view, {4, 4, 16, QkvPacking::separate, {q, k, v, o, up, down, head}});
  EXPECT_TRUE(view.attentions()[0].rotary);
  ASSERT_NE(view.word_embedding(), nullptr);
  EXPECT_EQ(view.word_embedding()->rows, 100);
  EXPECT_FALSE(view.head_tied_to_embedding());
}

TEST(Families, WhisperScalesItsQueriesAndListensToAnEncoder) {
  Builder b;
  const ValueId sound = b.state(48);
  const ValueId x = b.layer_norm(b.embed(b.ids(), 100, 64), 64);
  const auto fold = [&](ValueId value) {
    return b.reshape(b.split_heads(value, 4, 16), {-1, 8, 16});
  };
  const ValueId query = fold(b.mul(b.linear(x, 64, 64), b.number(0.25F)));
  const ValueId key = fold(b.linear(sound, 48, 64, false));
  const ValueId value = fold(b.linear(sound, 48, 64));
  const ValueId weights = b.softmax(b.matmul(query, b.transpose(key, {0, 2, 1})));
  const ValueId context = b.reshape(b.matmul(weights, value), {-1, 4, 8, 16});
  const ValueId y = b.add(x, b.linear(b.join_heads(context, 64), 64, 64));
  b.output(b.feed_forward(y, 64, 256));
  const auto view = TransformerView::of(b.graph);
  expect_block(view, {4, 4, 16, QkvPacking::separate, {q, k, v, o, up, down}});
  EXPECT_EQ(view.attentions()[0].scale, 0.25);
  EXPECT_FALSE(view.attentions()[0].biased);
  EXPECT_FALSE(view.units()[1].bias);
  EXPECT_TRUE(view.units()[2].bias);
}

TEST(Families, MpnetAddsARelativePositionBias) {
  Builder b;
  const ValueId x = b.layer_norm(b.embed(b.ids(), 100, 64), 64);
  const auto part = [&] { return b.split_heads(b.linear(x, 64, 64), 4, 16); };
  const ValueId query = part();
  const ValueId key = part();
  const ValueId value = part();
  const ValueId scores =
      b.op("Div", {b.matmul(query, b.transpose(key, {0, 1, 3, 2})), b.number(4)});
  const ValueId length = b.slice(b.op("Shape", {x}), 1, 2, 0);
  const ValueId buckets = b.op("Expand", {b.ints({3}), b.concat({length, length}, 0)});
  const ValueId bias = b.transpose(b.embed(buckets, 32, 4), {2, 0, 1});
  const ValueId biased = b.add(scores, b.op("Unsqueeze", {bias, b.ints({0})}));
  const ValueId context = b.matmul(b.softmax(biased), value);
  const ValueId y = b.layer_norm(b.add(b.linear(b.join_heads(context, 64), 64, 64), x), 64);
  b.output(b.layer_norm(b.feed_forward(y, 64, 256), 64));
  const auto view = TransformerView::of(b.graph);
  expect_block(view, {4, 4, 16, QkvPacking::separate, {q, k, v, o, up, down}});
  EXPECT_EQ(view.attentions()[0].scale, 0.25);
  EXPECT_TRUE(view.attentions()[0].biased);
  ASSERT_EQ(view.embeddings().size(), 2U);
  EXPECT_EQ(view.embeddings()[0].kind, EmbeddingKind::word);
  EXPECT_EQ(view.embeddings()[1].kind, EmbeddingKind::position);
}

TEST(Families, DebertaAddsScoresOfPositions) {
  Builder b;
  const ValueId x = b.layer_norm(b.embed(b.ids(), 100, 64), 64);
  const auto part = [&] { return b.split_heads(b.linear(x, 64, 64), 4, 16); };
  const ValueId query = part();
  const ValueId key = part();
  const ValueId value = part();
  const ValueId table = b.layer_norm(
      b.op("Slice", {b.tensor({1, 16, 64}), b.ints({0}), b.ints({16}), b.ints({1})}), 64);
  const ValueId pos_key = b.split_heads(b.linear(table, 64, 64), 4, 16);
  const ValueId c2p = b.matmul(query, b.transpose(pos_key, {0, 1, 3, 2}));
  const ValueId where = b.graph.add_input("where", DType::int64, std::nullopt);
  const ValueId gathered = b.op("GatherElements", {c2p, where}, {{"axis", std::int64_t{-1}}});
  const ValueId scores =
      b.op("Div", {b.matmul(query, b.transpose(key, {0, 1, 3, 2})), b.number(8)});
  const ValueId sum = b.add(b.op("Div", {gathered, b.number(8)}), scores);
  const ValueId masked = b.op("Where", {where, b.number(-3e38F), sum});
  const ValueId probabilities = b.op("Where", {where, b.number(0), b.softmax(masked)});
  const ValueId context = b.matmul(probabilities, value);
  const ValueId y = b.layer_norm(b.add(b.linear(b.join_heads(context, 64), 64, 64), x), 64);
  b.output(b.feed_forward(y, 64, 256));
  expect_block(TransformerView::of(b.graph),
               {4, 4, 16, QkvPacking::separate, {q, k, v, other, o, up, down}});
}

TEST(Families, ModernBertPacksQkvAndTheGatedUp) {
  Builder b;
  const ValueId x = b.embed(b.ids(), 100, 64);
  const ValueId fused = b.reshape(b.linear(b.layer_norm(x, 64), 64, 192, false), {0, 0, 3, 4, 16});
  const auto parts = b.ops("Split", {b.transpose(fused, {0, 3, 2, 1, 4}), b.ints({1, 1, 1})}, 3,
                           {{"axis", std::int64_t{2}}});
  const auto part = [&](std::size_t i) { return b.op("Squeeze", {parts[i], b.ints({2})}); };
  const ValueId context = b.attend(b.rotary(part(0), 16), b.rotary(part(1), 16), part(2), 0.25F);
  const ValueId y = b.add(x, b.linear(b.join_heads(context, 64), 64, 64, false));
  const ValueId wide = b.linear(b.layer_norm(y, 64), 64, 192, false);
  const auto halves = b.ops("Split", {wide}, 2, {{"axis", std::int64_t{-1}}});
  b.output(b.add(y, b.linear(b.mul(b.gelu(halves[0]), halves[1]), 96, 64, false)));
  const auto view = TransformerView::of(b.graph);
  expect_block(view, {4, 4, 16, QkvPacking::packed, {qkv, o, gate_up, down}});
  ASSERT_EQ(view.feed_forwards().size(), 1U);
  const FeedForward& pair = view.feed_forwards()[0];
  EXPECT_EQ(pair.gate, pair.up);
  EXPECT_EQ(pair.hidden, 96);
  EXPECT_EQ(pair.kind, patterns::ActivationKind::gelu);
}

TEST(Families, Gemma2CapsItsScoresAndNormsBothSides) {
  Builder b;
  const ValueId ids = b.ids();
  const ValueId table = b.tensor({100, 64});
  const ValueId x = b.mul(b.op("Gather", {table, ids}), b.number(8));
  const ValueId normed = b.rms_norm(x, 64, true);
  const ValueId query = b.rotary(b.split_heads(b.linear(normed, 64, 64, false), 4, 16), 16);
  const auto repeat = [&](ValueId value) {
    const ValueId wide =
        b.op("Expand", {b.op("Unsqueeze", {value, b.ints({2})}), b.ints({1, 1, 2, 1, 1})});
    return b.reshape(wide, {0, 4, -1, 16});
  };
  const ValueId key = repeat(b.rotary(b.split_heads(b.linear(normed, 64, 32, false), 2, 16), 16));
  const ValueId value = repeat(b.split_heads(b.linear(normed, 64, 32, false), 2, 16));
  const ValueId scores = b.mul(b.matmul(query, b.transpose(key, {0, 1, 3, 2})), b.number(0.25F));
  const ValueId capped = b.mul(b.op("Tanh", {b.op("Div", {scores, b.number(50)})}), b.number(50));
  const ValueId context = b.matmul(b.softmax(b.add(capped, b.tensor({1, 1, 8, 8}))), value);
  const ValueId attended = b.linear(b.join_heads(context, 64), 64, 64, false);
  const ValueId y = b.add(x, b.rms_norm(attended, 64, true));
  const ValueId z = b.rms_norm(y, 64, true);
  const ValueId gate_value =
      b.op("Gelu", {b.linear(z, 64, 128, false)}, {{"approximate", std::string("tanh")}});
  const ValueId gated = b.mul(gate_value, b.linear(z, 64, 128, false));
  const ValueId fed = b.add(y, b.rms_norm(b.linear(gated, 128, 64, false), 64, true));
  const ValueId logits = b.matmul(b.rms_norm(fed, 64, true), b.transpose(table, {1, 0}));
  b.output(b.mul(b.op("Tanh", {b.op("Div", {logits, b.number(30)})}), b.number(30)));
  const auto view = TransformerView::of(b.graph);
  expect_block(view, {4, 2, 16, QkvPacking::separate, {q, k, v, o, gate, up, down, head}});
  EXPECT_EQ(view.norms().size(), 5U);
  EXPECT_EQ(view.feed_forwards().size(), 1U);
  EXPECT_TRUE(view.head_tied_to_embedding());
  ASSERT_TRUE(view.output_head());
  const LinearUnit& unit = view.units()[*view.output_head()];
  EXPECT_EQ(unit.weight, table);
  EXPECT_EQ(unit.layout, WeightLayout::out_in);
  EXPECT_TRUE(unit.compressible());
}

TEST(Families, MobileBertStacksFeedForwardsInABottleneck) {
  Builder b;
  const ValueId x = b.embed(b.ids(), 100, 128);
  const auto no_norm = [&](ValueId value, std::int64_t width) {
    return b.add(b.mul(value, b.tensor({width})), b.tensor({width}));
  };
  const ValueId narrow = no_norm(b.linear(x, 128, 64), 64);
  const ValueId shared = no_norm(b.linear(x, 128, 64), 64);
  const ValueId query = b.split_heads(b.linear(shared, 64, 64), 4, 16);
  const ValueId key = b.split_heads(b.linear(shared, 64, 64), 4, 16);
  const ValueId value = b.split_heads(b.linear(x, 128, 64), 4, 16);
  const ValueId context = b.attend(query, key, value, 0.25F);
  ValueId y = no_norm(b.add(b.linear(b.join_heads(context, 64), 64, 64), narrow), 64);
  for (int i = 0; i < 2; ++i) {
    y = no_norm(b.add(b.linear(b.op("Relu", {b.linear(y, 64, 256)}), 256, 64), y), 64);
  }
  b.output(no_norm(b.add(b.linear(y, 64, 128), x), 128));
  const auto view = TransformerView::of(b.graph);
  expect_block(
      view,
      {4, 4, 16, QkvPacking::separate, {other, other, q, k, v, o, up, down, up, down, other}});
  EXPECT_EQ(view.feed_forwards().size(), 2U);
  EXPECT_TRUE(view.norms().empty());
}

TEST(Families, ClipFoldsHeadsAndUsesQuickGelu) {
  Builder b;
  const ValueId x = b.layer_norm(b.embed(b.ids(), 100, 64), 64);
  const auto fold = [&](ValueId value) {
    return b.reshape(b.split_heads(value, 4, 16), {-1, 8, 16});
  };
  const ValueId query = fold(b.mul(b.linear(x, 64, 64), b.number(0.25F)));
  const ValueId key = fold(b.linear(x, 64, 64));
  const ValueId value = fold(b.linear(x, 64, 64));
  const ValueId scores = b.reshape(b.matmul(query, b.transpose(key, {0, 2, 1})), {-1, 4, 8, 8});
  const ValueId masked = b.reshape(b.add(scores, b.tensor({1, 1, 8, 8})), {-1, 8, 8});
  const ValueId context = b.reshape(b.matmul(b.softmax(masked), value), {-1, 4, 8, 16});
  const ValueId y = b.add(x, b.linear(b.join_heads(context, 64), 64, 64));
  const ValueId wide = b.linear(b.layer_norm(y, 64), 64, 256);
  const ValueId act = b.mul(wide, b.op("Sigmoid", {b.mul(b.number(1.702F), wide)}));
  b.output(b.add(y, b.linear(act, 256, 64)));
  const auto view = TransformerView::of(b.graph);
  expect_block(view, {4, 4, 16, QkvPacking::separate, {q, k, v, o, up, down}});
  EXPECT_EQ(view.feed_forwards()[0].kind, patterns::ActivationKind::quick_gelu);
}

TEST(Families, TimmStacksQkvInFrontAndScalesItsLayers) {
  Builder b;
  const ValueId x = b.state(64);
  const ValueId fused = b.reshape(b.linear(b.layer_norm(x, 64), 64, 192), {0, 8, 3, 4, 16});
  const ValueId stacked = b.transpose(fused, {2, 0, 3, 1, 4});
  const auto part = [&](std::int64_t index) {
    const ValueId at = b.graph.add_constant("at", Tensor::scalar<std::int64_t>(index));
    return b.op("Gather", {stacked, at}, {{"axis", std::int64_t{0}}});
  };
  const ValueId scores =
      b.matmul(b.mul(part(0), b.number(0.25F)), b.transpose(part(1), {0, 1, 3, 2}));
  const ValueId context = b.matmul(b.softmax(scores), part(2));
  const ValueId attended =
      b.linear(b.reshape(b.transpose(context, {0, 2, 1, 3}), {0, 8, 64}), 64, 64);
  const ValueId y = b.add(x, b.mul(attended, b.tensor({64})));
  const ValueId fed = b.linear(b.gelu(b.linear(b.layer_norm(y, 64), 64, 256)), 256, 64);
  b.output(b.add(y, b.mul(fed, b.tensor({64}))));
  const auto view = TransformerView::of(b.graph);
  expect_block(view, {4, 4, 16, QkvPacking::packed, {qkv, o, up, down}});
  EXPECT_EQ(view.feed_forwards().size(), 1U);
  EXPECT_EQ(view.attentions()[0].scale, 0.25);
}

TEST(Families, Qwen3NormsItsHeadsAndKeepsACache) {
  Builder b;
  const ValueId x = b.embed(b.ids(), 100, 64);
  const ValueId normed = b.rms_norm(x, 64);
  const ValueId past =
      b.graph.add_input("past", DType::float32, Shape{{-1, "b"}, {2, ""}, {-1, "p"}, {16, ""}});
  const auto headed = [&](std::int64_t heads) {
    return b.reshape(b.linear(normed, 64, heads * 16, false), {0, 0, heads, 16});
  };
  const ValueId query = b.rotary(b.transpose(b.rms_norm(headed(4), 16), {0, 2, 1, 3}), 16);
  const ValueId fresh = b.rotary(b.transpose(b.rms_norm(headed(2), 16), {0, 2, 1, 3}), 16);
  const ValueId value = b.transpose(headed(2), {0, 2, 1, 3});
  const ValueId present = b.concat({past, fresh}, 2);
  const auto repeat = [&](ValueId kept) {
    const ValueId wide =
        b.op("Expand", {b.op("Unsqueeze", {kept, b.ints({2})}), b.ints({1, 1, 2, 1, 1})});
    return b.reshape(wide, {0, 4, -1, 16});
  };
  const ValueId context =
      b.attend(query, repeat(present), repeat(b.concat({past, value}, 2)), 0.25F);
  const ValueId y = b.add(x, b.linear(b.join_heads(context, 64), 64, 64, false));
  const ValueId z = b.rms_norm(y, 64);
  const ValueId gate_value = b.silu(b.linear(z, 64, 128, false));
  const ValueId gated = b.mul(gate_value, b.linear(z, 64, 128, false));
  b.graph.add_output(present);
  b.output(b.linear(b.rms_norm(b.add(y, b.linear(gated, 128, 64, false)), 64), 64, 100, false));
  const auto view = TransformerView::of(b.graph);
  expect_block(view, {4, 2, 16, QkvPacking::separate, {q, k, v, o, gate, up, down, head}});
  EXPECT_TRUE(view.attentions()[0].rotary);
  EXPECT_EQ(view.norms().size(), 5U);
}

}  // namespace
}  // namespace onnxpress
