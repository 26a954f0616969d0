// SPDX-License-Identifier: Apache-2.0
// Heads that are cut out of attention in every form that exporters write: the model then computes
// what it computed with the heads' rows of the output projection set to zero.
#include "passes/prune_heads.h"

#include <gmock/gmock.h>

#include "onnxpress/error.h"
#include "passes/pruning/pruning_fixture.h"

namespace onnxpress {
namespace {

using namespace test;  // NOLINT: the builder's and the fixture's short names
using testing::HasSubstr;
using Ints = Builder::Ints;

constexpr PrunableKind kHeads = PrunableKind::heads;

// x + o(attention) with q, k and v from products of their own.
Graph plain() {
  Builder b;
  const ValueId x = b.state(24);
  const auto part = [&] { return b.split_heads(b.linear(x, 24, 24), 4, 6); };
  const ValueId context = b.attend(part(), part(), part(), 0.4F);
  b.output(b.add(x, b.linear(b.join_heads(context, 24), 24, 24)));
  return b.graph;
}

TEST(PruneHeads, SeparateProductsAndConstantShapes) {
  expect_prunable(plain(), kHeads, 4, 6);
}

TEST(PruneHeads, SizesThatFollowFromOthers) {
  Builder b;
  const ValueId x = b.state(24);
  const auto part = [&] {
    return b.transpose(b.reshape(b.linear(x, 24, 24), {0, 0, -1, 6}), {0, 2, 1, 3});
  };
  const ValueId context = b.attend(part(), part(), part(), 0.4F);
  const ValueId joined = b.reshape(b.transpose(context, {0, 2, 1, 3}), {0, 0, -1});
  b.output(b.add(x, b.linear(joined, 24, 24)));
  expect_prunable(b.graph, kHeads, 4, 6);
}

TEST(PruneHeads, ShapesPutTogetherFromOneConcatThatOthersRead) {
  Builder b;
  const ValueId x = b.state(24);
  const ValueId shape = b.op("Shape", {x});
  const ValueId apart =
      b.concat({b.slice(shape, 0, 2, 0), b.ints({4}), b.ints({6})}, 0);  // one for all three
  const ValueId whole = b.concat({b.slice(shape, 0, 2, 0), b.ints({24})}, 0);
  const auto part = [&] {
    return b.transpose(b.op("Reshape", {b.linear(x, 24, 24), apart}), {0, 2, 1, 3});
  };
  const ValueId context = b.attend(part(), part(), part(), 0.4F);
  const ValueId joined = b.op("Reshape", {b.transpose(context, {0, 2, 1, 3}), whole});
  const ValueId y = b.op("Reshape", {b.linear(joined, 24, 24), whole});  // keeps its 24
  b.output(b.add(x, y));
  expect_prunable(b.graph, kHeads, 4, 6);
}

TEST(PruneHeads, OneProductSplitInThree) {
  for (const bool named : {false, true}) {
    Builder b;
    const ValueId x = b.state(24);
    std::vector<ValueId> in = {b.linear(x, 24, 72)};
    Attributes attributes = {{"axis", std::int64_t{-1}}};
    if (named) {
      in.push_back(b.ints({24, 24, 24}));
    } else {
      attributes.set("num_outputs", std::int64_t{3});
    }
    const auto parts = b.ops("Split", in, 3, attributes);
    const auto part = [&](std::size_t i) { return b.split_heads(parts[i], 4, 6); };
    const ValueId context = b.attend(part(0), part(1), part(2), 0.4F);
    b.output(b.add(x, b.linear(b.join_heads(context, 24), 24, 24)));
    expect_prunable(b.graph, kHeads, 4, 6);
  }
}

TEST(PruneHeads, OneProductSlicedInThree) {
  Builder b;
  const ValueId x = b.state(24);
  const ValueId all = b.linear(x, 24, 72);
  const auto part = [&](std::int64_t i) {
    const std::int64_t end = i == 2 ? INT64_MAX : 24 * (i + 1);
    return b.split_heads(b.slice(all, 24 * i, end, 2), 4, 6);
  };
  const ValueId context = b.attend(part(0), part(1), part(2), 0.4F);
  b.output(b.add(x, b.linear(b.join_heads(context, 24), 24, 24)));
  expect_prunable(b.graph, kHeads, 4, 6);
}

TEST(PruneHeads, QueryKeyAndValueOfEachHeadSideBySide) {
  Builder b;
  const ValueId x = b.state(24);
  const ValueId all = b.split_heads(b.linear(x, 24, 72), 4, 18);
  const auto parts = b.ops("Split", {all, b.ints({6, 6, 6})}, 3, {{"axis", std::int64_t{-1}}});
  const ValueId context = b.attend(parts[0], parts[1], parts[2], 0.4F);
  b.output(b.add(x, b.linear(b.join_heads(context, 24), 24, 24)));
  expect_prunable(b.graph, kHeads, 4, 6);
}

TEST(PruneHeads, ThreeStackedOnAnAxisOfTheirOwn) {
  Builder b;
  const ValueId x = b.state(24);
  const ValueId stacked = b.transpose(b.reshape(b.linear(x, 24, 72), {0, 0, 3, 4, 6}),
                                      {2, 0, 3, 1, 4});  // [3, batch, heads, sequence, 6]
  const auto part = [&](std::int64_t i) {
    const ValueId index = b.graph.add_constant("index", Tensor::scalar<std::int64_t>(i));
    return b.op("Gather", {stacked, index}, {{"axis", std::int64_t{0}}});
  };
  const ValueId context = b.attend(part(0), part(1), part(2), 0.4F);
  b.output(b.add(x, b.linear(b.join_heads(context, 24), 24, 24)));
  expect_prunable(b.graph, kHeads, 4, 6);
}

// Key/value heads that are repeated for two query heads each; or one for all four.
Graph grouped(std::int64_t kv_heads) {
  Builder b;
  const ValueId x = b.state(24);
  const ValueId query = b.split_heads(b.linear(x, 24, 24), 4, 6);
  const auto repeated = [&] {
    const ValueId one = b.split_heads(b.linear(x, 24, 6 * kv_heads), kv_heads, 6);
    const ValueId apart = b.op("Unsqueeze", {one, b.ints({2})});
    const ValueId many = b.op("Expand", {apart, b.ints({1, kv_heads, 4 / kv_heads, 1, 6})});
    return b.reshape(many, {0, 4, -1, 6});
  };
  const ValueId key = repeated();
  const ValueId context = b.attend(query, key, repeated(), 0.4F);
  b.output(b.add(x, b.linear(b.join_heads(context, 24), 24, 24)));
  return b.graph;
}

TEST(PruneHeads, GroupsThatShareAKeyGoAsAWhole) {
  const Graph graph = grouped(2);
  expect_prunable(graph, kHeads, 2, 12);
  EXPECT_EQ(layers_of(model_of(graph), kHeads)[0].parts_per_unit, 2);
}

TEST(PruneHeads, QueryHeadsOfOneKeyGoAlone) {
  const Graph graph = grouped(1);
  expect_prunable(graph, kHeads, 4, 6);
  const Model model = model_of(graph);
  const Model small = expect_cut(model, layers_of(model, kHeads)[0], {1, 3});
  EXPECT_EQ(TransformerView::of(small).attentions()[0].heads, 2);
  EXPECT_EQ(TransformerView::of(small).attentions()[0].kv_heads, 1);
}

TEST(PruneHeads, RotatedQueriesAndKeys) {
  Builder b;
  const ValueId x = b.state(24);
  const auto part = [&] { return b.split_heads(b.linear(x, 24, 24, false), 4, 6); };
  const ValueId query = b.rotary(part(), 6);
  const ValueId key = b.rotary(part(), 6);
  const ValueId context = b.attend(query, key, part(), 0.4F);
  b.output(b.add(x, b.linear(b.join_heads(context, 24), 24, 24, false)));
  expect_prunable(b.graph, kHeads, 4, 6);
}

TEST(PruneHeads, AQueryThatIsNormalizedHeadByHead) {
  Builder b;
  const ValueId x = b.state(24);
  const auto part = [&] { return b.split_heads(b.linear(x, 24, 24, false), 4, 6); };
  const ValueId query = b.rms_norm(part(), 6);
  const ValueId key = b.layer_norm(part(), 6);
  const ValueId context = b.attend(query, key, part(), 0.4F);
  b.output(b.add(x, b.linear(b.join_heads(context, 24), 24, 24, false)));
  expect_prunable(b.graph, kHeads, 4, 6);
}

// softmax(q·kᵀ + bias)·v, with a Softmax of its own or written out.
ValueId attend_with(Builder& b, ValueId x, ValueId bias, bool written_out) {
  const auto part = [&] { return b.split_heads(b.linear(x, 24, 24), 4, 6); };
  const ValueId query = part();
  const ValueId scores = b.add(b.matmul(query, b.transpose(part(), {0, 1, 3, 2})), bias);
  ValueId probabilities = kNoValue;
  if (written_out) {
    const ValueId top = b.op("ReduceMax", {scores, b.ints({-1})});
    const ValueId powers = b.op("Exp", {b.op("Sub", {scores, top})});
    probabilities = b.op("Div", {powers, b.op("ReduceSum", {powers, b.ints({-1})})});
  } else {
    probabilities = b.softmax(scores);
  }
  const ValueId context = b.matmul(probabilities, part());
  return b.add(x, b.linear(b.join_heads(context, 24), 24, 24));
}

TEST(PruneHeads, AMaskWithOnePlaneForEachHead) {
  Builder b;
  const ValueId x = b.state(24);
  b.output(attend_with(b, x, b.tensor({4, kSequence, kSequence}), false));
  expect_prunable(b.graph, kHeads, 4, 6);
}

TEST(PruneHeads, ASoftmaxThatIsWrittenOut) {
  Builder b;
  const ValueId x = b.state(24);
  b.output(attend_with(b, x, b.tensor({1, 1, kSequence, kSequence}), true));
  expect_prunable(b.graph, kHeads, 4, 6);
}

TEST(PruneHeads, ATableOfPositionBiasesTiesTheBlocksThatReadIt) {
  Builder b;
  const ValueId x = b.state(24);
  const ValueId table = b.tensor({5, 4});  // one column for each head
  Ints buckets;
  for (std::int64_t i = 0; i < kSequence * kSequence; ++i) buckets.push_back(i * i % 5);
  const ValueId index = b.graph.add_constant(
      "index", Tensor::of<std::int64_t>({kSequence, kSequence}, std::move(buckets)));
  const ValueId looked_up = b.op("Gather", {table, index});  // [s, s, heads]
  const ValueId bias = b.op("Unsqueeze", {b.transpose(looked_up, {2, 0, 1}), b.ints({0})});
  b.output(attend_with(b, attend_with(b, x, bias, false), bias, false));
  expect_prunable(b.graph, kHeads, 4, 6, 2);
  const Model model = model_of(b.graph);
  const Model small = expect_cut(model, layers_of(model, kHeads)[0], {0, 2});
  EXPECT_EQ(small.graph.constant(table)->dims(), (Dims{5, 2}));
}

TEST(PruneHeads, BlocksThatShareWeightsAreCutTogether) {
  Builder b;
  const ValueId x = b.state(24);
  std::vector<ValueId> weights;
  for (int i = 0; i < 4; ++i) weights.push_back(b.tensor({24, 24}));
  const ValueId bias = b.tensor({24});  // of q, k, v and o: o keeps all of it
  const auto block = [&](ValueId in) {
    const auto part = [&](std::size_t i) {
      return b.split_heads(b.add(b.matmul(in, weights[i]), bias), 4, 6);
    };
    const ValueId context = b.attend(part(0), part(1), part(2), 0.4F);
    return b.add(in, b.add(b.matmul(b.join_heads(context, 24), weights[3]), bias));
  };
  b.output(block(block(x)));
  expect_prunable(b.graph, kHeads, 4, 6, 2);
}

TEST(PruneHeads, TransposedGemmsOverFlatStates) {
  Builder b;
  const ValueId x = b.state(24);
  const ValueId flat = b.reshape(x, {-1, 24});
  const auto gemm = [&](ValueId in) {
    return b.op("Gemm", {in, b.tensor({24, 24}), b.tensor({24})}, {{"transB", std::int64_t{1}}});
  };
  const auto part = [&] {
    return b.transpose(b.reshape(gemm(flat), {-1, kSequence, 4, 6}), {0, 2, 1, 3});
  };
  const ValueId context = b.attend(part(), part(), part(), 0.4F);
  const ValueId joined = b.reshape(b.transpose(context, {0, 2, 1, 3}), {-1, 24});
  b.output(b.add(x, b.reshape(gemm(joined), {-1, kSequence, 24})));
  expect_prunable(b.graph, kHeads, 4, 6);
}

TEST(PruneHeads, WhatElseReadsAHeadKeepsTheBlockWhole) {
  Builder b;
  const ValueId x = b.state(24);
  const ValueId value = b.linear(x, 24, 24);
  const auto part = [&] { return b.split_heads(b.linear(x, 24, 24), 4, 6); };
  const ValueId query = part();
  const ValueId context = b.attend(query, part(), b.split_heads(value, 4, 6), 0.4F);
  const ValueId y = b.add(x, b.linear(b.join_heads(context, 24), 24, 24));
  b.output(b.add(y, value));  // the values are added to the states
  EXPECT_THAT(why_not(b.graph, kHeads), HasSubstr("put of the graph"));
}

TEST(PruneHeads, ANormOverAllHeadsKeepsTheBlockWhole) {
  Builder b;
  const ValueId x = b.state(24);
  const auto part = [&] { return b.split_heads(b.linear(x, 24, 24), 4, 6); };
  const ValueId query = part();
  const ValueId key = part();
  const ValueId context = b.attend(query, key, part(), 0.4F);
  b.output(b.add(x, b.linear(b.layer_norm(b.join_heads(context, 24), 24), 24, 24)));
  EXPECT_THAT(why_not(b.graph, kHeads), HasSubstr("normalizes over what would go"));
}

TEST(PruneHeads, ProbabilitiesThatAreAnOutputKeepTheBlockWhole) {
  Model model = model_of(plain());
  const TransformerView view = TransformerView::of(model);
  const Node& softmax = model.graph.node(view.attentions()[0].softmax);
  model.graph.add_output(softmax.outputs[0]);
  EXPECT_THAT(why_not(model.graph, kHeads), HasSubstr("is an output of the graph"));
}

TEST(PruneHeads, AHeadCountThatIsComputedWithKeepsTheBlockWhole) {
  Builder b;
  const ValueId x = b.state(24);
  const auto part = [&] { return b.split_heads(b.linear(x, 24, 24), 4, 6); };
  const ValueId query = part();
  const ValueId heads = b.slice(b.op("Shape", {query}), 1, 2, 0);
  const ValueId factor = b.op("Cast", {heads}, {{"to", std::int64_t{1}}});
  const ValueId key = part();
  const ValueId context = b.attend(b.op("Div", {query, factor}), key, part(), 0.4F);
  b.output(b.add(x, b.linear(b.join_heads(context, 24), 24, 24)));
  EXPECT_THAT(why_not(b.graph, kHeads), HasSubstr("depends on a size that would change"));
}

}  // namespace
}  // namespace onnxpress
