// SPDX-License-Identifier: Apache-2.0
#include "passes/prune_neurons.h"

#include <gmock/gmock.h>

#include "passes/pruning/pruning_fixture.h"

namespace onnxpress {
namespace {

using namespace test;  // NOLINT: the builder's and the fixture's short names
using testing::HasSubstr;

constexpr PrunableKind kNeurons = PrunableKind::neurons;

TEST(PruneNeurons, AFeedForwardWithGelu) {
  Builder b;
  b.output(b.feed_forward(b.state(12), 12, 20));
  expect_prunable(b.graph, kNeurons, 20, 1);
}

TEST(PruneNeurons, GateAndUpInProductsOfTheirOwn) {
  Builder b;
  const ValueId x = b.state(12);
  const ValueId gated = b.mul(b.silu(b.linear(x, 12, 20, false)), b.linear(x, 12, 20));
  b.output(b.add(x, b.linear(gated, 20, 12)));
  expect_prunable(b.graph, kNeurons, 20, 1);
}

TEST(PruneNeurons, GateAndUpInOneProduct) {
  for (const bool sliced : {false, true}) {
    Builder b;
    const ValueId x = b.state(12);
    const ValueId both = b.linear(x, 12, 40);
    std::vector<ValueId> parts;
    if (sliced) {
      parts = {b.slice(both, 0, 20, -1), b.slice(both, 20, INT64_MAX, -1)};
    } else {
      parts = b.ops("Split", {both, b.ints({20, 20})}, 2, {{"axis", std::int64_t{2}}});
    }
    b.output(b.add(x, b.linear(b.mul(b.silu(parts[0]), parts[1]), 20, 12)));
    expect_prunable(b.graph, kNeurons, 20, 1);
  }
}

TEST(PruneNeurons, GemmsOverFlatStates) {
  Builder b;
  const ValueId x = b.state(12);
  const Attributes turned = {{"transB", std::int64_t{1}}};
  const ValueId flat = b.reshape(x, {-1, 12});
  const ValueId up = b.op("Gemm", {flat, b.tensor({20, 12}), b.tensor({20})}, turned);
  const ValueId down =
      b.op("Gemm", {b.op("Relu", {up}), b.tensor({12, 20}), b.tensor({12})}, turned);
  b.output(b.add(x, b.reshape(down, {-1, kSequence, 12})));
  expect_prunable(b.graph, kNeurons, 20, 1);
}

TEST(PruneNeurons, BlocksThatShareWeightsAreCutTogether) {
  Builder b;
  const ValueId x = b.state(12);
  const ValueId up = b.tensor({12, 20});
  const ValueId bias = b.tensor({20});
  const ValueId down = b.tensor({20, 12});
  const auto block = [&](ValueId in) {
    return b.add(in, b.matmul(b.gelu(b.add(b.matmul(in, up), bias)), down));
  };
  b.output(block(block(x)));
  expect_prunable(b.graph, kNeurons, 20, 1, 2);
}

TEST(PruneNeurons, ABiasThatOthersReadIsCutInACopy) {
  Builder b;
  const ValueId x = b.state(20);  // as wide as the hidden layer
  const ValueId bias = b.tensor({20});
  const ValueId hidden = b.gelu(b.add(b.matmul(x, b.tensor({20, 20})), bias));
  b.output(b.add(x, b.add(b.matmul(hidden, b.tensor({20, 20})), bias)));
  expect_prunable(b.graph, kNeurons, 20, 1);
}

TEST(PruneNeurons, ANormInFrontOfDownKeepsTheBlockWhole) {
  Builder b;
  const ValueId x = b.state(12);
  const ValueId hidden = b.layer_norm(b.gelu(b.linear(x, 12, 20)), 20);
  b.output(b.add(x, b.linear(hidden, 20, 12)));
  EXPECT_THAT(why_not(b.graph, kNeurons), HasSubstr("normalizes over what would go"));
}

TEST(PruneNeurons, AWeightThatSomethingElseReadsKeepsTheBlockWhole) {
  Builder b;
  const ValueId x = b.state(12);
  const ValueId up = b.tensor({12, 20});
  const ValueId hidden = b.gelu(b.matmul(x, up));
  b.graph.add_output(b.op("ReduceSum", {up}, {{"keepdims", std::int64_t{0}}}));
  b.output(b.add(x, b.linear(hidden, 20, 12)));
  EXPECT_THAT(why_not(b.graph, kNeurons), HasSubstr("reduces over what would go"));
}

TEST(PruneNeurons, TheWeakestGoAndTheRestIsAMultiple) {
  Builder b;
  b.output(b.feed_forward(b.state(12), 12, 20));
  Model model = model_of(b.graph);
  const auto layers = layers_of(model, kNeurons);
  // Neurons 3 and 11 add nothing.
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < 20; ++i) {
    if (i != 3 && i != 11) rows.push_back(i);
  }
  model = with_rows(model, layers[0], {rows});
  const Model before = model;
  const PassPlan plan = run_pass(model, "prune_neurons", {{"count", std::int64_t{2}}});
  EXPECT_EQ(plan.changes(), 1U);
  EXPECT_EQ(plan.units[0].kind, "feed-forward block");
  EXPECT_LT(relative_difference(run_model(before, states(before.graph)),
                                run_model(model, states(model.graph))),
            1e-5);
  const OptionValues few = {{"count", std::int64_t{2}}, {"multiple_of", std::int64_t{8}}};
  EXPECT_EQ(run_pass(model, "prune_neurons", few).changes(), 1U);  // 18 → 16
  EXPECT_EQ(layers_of(model, kNeurons)[0].units, 16);
  EXPECT_EQ(run_pass(model, "prune_neurons", few).changes(), 0U);  // 16 → 14 is no multiple
}

}  // namespace
}  // namespace onnxpress
