// SPDX-License-Identifier: Apache-2.0
#include "passes/cast_fp16.h"

#include <gmock/gmock.h>

#include "model/builder.h"
#include "model/transformer_view.h"
#include "passes/half_plan.h"
#include "passes/run_pass.h"
#include "passes/weight_bytes.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

struct Network {
  Model model;
  Graph& graph() { return model.graph; }
  ValueId x;
  Network() {
    model.ir_version = 8;
    model.opsets = {{"", 14}};
    x = graph().add_input("x", DType::float32, Shape{{-1, "n"}, {64, ""}});
  }
  ValueId constant(const char* name, Tensor tensor) {
    return graph().add_constant(name, std::move(tensor));
  }
  void output(ValueId y) {
    graph().mutable_value(y).dtype = DType::float32;
    graph().add_output(y);
  }
};

TensorMap inputs() {
  return {{"x", test::noise({5, 64}, 1, 7)}};
}

std::int64_t count(const Model& model, std::string_view op) {
  const auto ops = test::op_types(model.graph);
  return std::count(ops.begin(), ops.end(), op);
}

TEST(CountHalf, CountsWhatOverflowsVanishesAndLosesBits) {
  ThreadPool pool(2);
  const HalfCounts c = count_half(
      Tensor::of<float>({9}, {0, 1, 65519, 65520, -1e9F, INFINITY, 2e-8F, 1e-6F, -0x1p-24F}), pool);
  EXPECT_EQ(c.overflows, 2);  // infinity stays what it is
  EXPECT_EQ(c.vanishes, 1);
  EXPECT_EQ(c.subnormals, 2);
  EXPECT_EQ(c.nonzeros, 8);
}

TEST(CastFp16, HalvesWeightsAndKeepsTheTypesOfInputsAndOutputs) {
  Network n;
  const ValueId h = n.graph().add("MatMul", {n.x, n.constant("w", test::noise({64, 48}))}, {}, "h");
  n.output(n.graph().add("Add", {h, n.constant("b", test::noise({48}))}, {}, "y"));
  const Model before = n.model;
  const PassPlan plan = test::run_pass(n.model, "cast_fp16");
  EXPECT_EQ(plan.bytes_before(), (64 * 48 + 48) * 4);
  EXPECT_EQ(plan.bytes_after(), (64 * 48 + 48) * 2);
  EXPECT_THAT(n.model, test::HasOps("Cast", "MatMul", "Add", "Cast"));
  EXPECT_EQ(n.graph().value(n.graph().outputs()[0]).dtype, DType::float32);
  EXPECT_EQ(n.graph().value(n.graph().outputs()[0]).name,
            before.graph.value(before.graph.outputs()[0]).name);
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(n.model, inputs())),
            2e-3);
}

TEST(CastFp16, StorageOnlyPutsACastBehindEachWeight) {
  Network n;
  n.output(n.graph().add("MatMul", {n.x, n.constant("w", test::noise({64, 48}))}, {}, "y"));
  const Model before = n.model;
  const PassPlan plan = test::run_pass(n.model, "cast_fp16", {{"compute", std::string("float32")}});
  EXPECT_EQ(plan.bytes_after(), 64 * 48 * 2);
  EXPECT_THAT(n.model, test::HasOps("Cast", "MatMul"));
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(n.model, inputs())),
            1e-3);
}

TEST(CastFp16, AMaskOfMinus3e38NeverBecomesInfinityAndNan) {
  // Every score is masked: with an infinite mask the Softmax would give NaN.
  Network n;
  const ValueId scores =
      n.graph().add("MatMul", {n.x, n.constant("w", test::noise({64, 48}))}, {}, "scores");
  const ValueId mask = n.constant("mask", Tensor::of<float>({1}, {-3.4028235e38F}));
  const ValueId masked = n.graph().add("Add", {scores, mask}, {}, "masked");
  n.output(n.graph().add("Softmax", {masked}, {{"axis", std::int64_t{-1}}}, "y"));
  const Model before = n.model;
  const PassPlan plan = test::run_pass(n.model, "cast_fp16");
  const UnitPlan* unit = test::find_unit(plan, "mask");
  ASSERT_NE(unit, nullptr);
  EXPECT_EQ(unit->decision, Decision::keep);
  EXPECT_THAT(unit->reason, testing::HasSubstr("1 of 1 over 65504"));
  const TensorMap out = test::run_model(n.model, inputs());
  for (const float p : out.begin()->second.as<float>()) EXPECT_NEAR(p, 1.0 / 48, 1e-4);
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()), out), 1e-3);
}

TEST(CastFp16, TensorsThatOverflowOrVanishStayFloat32AndAreCounted) {
  Network n;
  std::vector<float> large(64 * 48, 0.5F);
  large[5] = 1e6F;
  large[6] = -7e4F;
  std::vector<float> tiny(48 * 48, 1e-9F);
  const ValueId h = n.graph().add(
      "MatMul", {n.x, n.constant("large", Tensor::of<float>({64, 48}, large))}, {}, "h");
  n.output(
      n.graph().add("MatMul", {h, n.constant("tiny", Tensor::of<float>({48, 48}, tiny))}, {}, "y"));
  const Model before = n.model;
  const PassPlan plan = test::run_pass(n.model, "cast_fp16");
  EXPECT_EQ(plan.changes(), 0U);
  EXPECT_THAT(test::find_unit(plan, "large")->reason, testing::HasSubstr("2 of 3072 over 65504"));
  EXPECT_THAT(test::find_unit(plan, "tiny")->reason,
              testing::HasSubstr("2304 of 2304 round to zero"));
  EXPECT_TRUE(
      test::identical(test::run_model(before, inputs()), test::run_model(n.model, inputs())));
}

TEST(CastFp16, PositionsAndSumsOfSquaresStayFloat32) {
  // x · x overflows float16 at 256, positions lose whole steps at 2048.
  Network n;
  Graph& g = n.graph();
  const ValueId big =
      g.add("Mul", {n.x, n.constant("factor", Tensor::of<float>({1}, {3000}))}, {}, "big");
  const ValueId squares =
      g.add("ReduceSumSquare", {big}, {{"axes", std::vector<std::int64_t>{-1}}}, "squares");
  const ValueId root = g.add("Sqrt", {squares}, {}, "root");
  n.output(g.add("MatMul",
                 {g.add("Div", {big, root}, {}, "unit"), n.constant("w", test::noise({64, 48}))},
                 {}, "y"));
  const Model before = n.model;
  test::run_pass(n.model, "cast_fp16");
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(n.model, inputs())),
            2e-3);
}

TEST(CastFp16, AValueThatIsReadInBothTypesIsCastOnce) {
  Network n;
  Graph& g = n.graph();
  const ValueId w = n.constant("w", test::noise({64, 64}));
  const ValueId a = g.add("MatMul", {n.x, w}, {}, "a");
  const ValueId b = g.add("MatMul", {n.x, w}, {}, "b");
  const ValueId exp_a = g.add("Exp", {a}, {}, "exp_a");
  const ValueId log_a = g.add("Softplus", {a}, {}, "log_a");
  n.output(g.add("Add", {g.add("Add", {exp_a, log_a}, {}, "sum"), g.add("Add", {a, b}, {}, "ab")},
                 {}, "y"));
  const Model before = n.model;
  test::run_pass(n.model, "cast_fp16");
  // x once to half, a once to float, exp and log back, y to float.
  EXPECT_EQ(count(n.model, "Cast"), 5);
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(n.model, inputs())),
            3e-3);
}

// y = norm(x·w)·v: an RMSNorm in single nodes, or LayerNormalization.
Model with_norm(bool decomposed) {
  test::Builder b;
  const ValueId x = b.linear(b.state(64), 64, 96, false);
  const ValueId normed = decomposed ? b.rms_norm(x, 96) : b.layer_norm(x, 96);
  b.output(b.linear(normed, 96, 32, false));
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 17}};
  model.graph = std::move(b.graph);
  return model;
}

TEST(CastFp16, GainAndShiftOfANormThatComputesInFloat32StayAsTheyAre) {
  for (const bool decomposed : {true, false}) {
    for (const char* compute : {"float16", "float32"}) {
      Model model = with_norm(decomposed);
      const auto norm = TransformerView::of(model).norms().front().match;
      const std::int64_t before = weight_bytes(model.graph);
      test::run_pass(model, "cast_fp16", {{"compute", std::string(compute)}});
      const bool stays = decomposed || compute == std::string("float32");
      for (const ValueId id : {norm.gain, norm.shift}) {
        EXPECT_TRUE(id == kNoValue || model.graph.value(id).uses.empty() == !stays);
      }
      const std::int64_t halved = 64 * 96 + 96 * 32 + (stays ? 0 : 2 * 96);
      EXPECT_EQ(weight_bytes(model.graph), before - 2 * halved) << decomposed << compute;
    }
  }
}

TEST(CastFp16, ASecondRunChangesNothing) {
  Network n;
  n.output(n.graph().add("MatMul", {n.x, n.constant("w", test::noise({64, 48}))}, {}, "y"));
  test::run_pass(n.model, "cast_fp16");
  const std::string once = to_text(n.graph());
  EXPECT_EQ(test::run_pass(n.model, "cast_fp16").changes(), 0U);
  EXPECT_EQ(to_text(n.graph()), once);
}

}  // namespace
}  // namespace onnxpress
