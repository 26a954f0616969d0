// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_dynamic.h"

#include <gmock/gmock.h>

#include "pack/integer.h"
#include "passes/run_pass.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

struct Network {
  Model model;
  Graph& graph() { return model.graph; }
  ValueId x;

  explicit Network(std::int64_t opset = 13) {
    model.ir_version = 8;
    model.opsets = {{"", opset}};
    x = graph().add_input("x", DType::float32, Shape{{-1, "n"}, {64, ""}});
  }
  ValueId constant(const char* name, Dims dims) {
    return graph().add_constant(name, test::noise(std::move(dims)));
  }
  void output(ValueId y) {
    graph().mutable_value(y).dtype = DType::float32;
    graph().add_output(y);
  }
};

TensorMap inputs() {
  return {{"x", test::noise({5, 64}, 1, 7)}};
}

double change(const Model& before, const Model& after) {
  return test::relative_difference(test::run_model(before, inputs()),
                                   test::run_model(after, inputs()));
}

TEST(QuantizeDynamic, UnitsThatReadTheSameTensorShareItsQuantization) {
  Network n;
  for (const char* name : {"q", "k", "v"}) {
    n.output(
        n.graph().add("MatMul", {n.x, n.constant(name, {64, 64})}, {}, std::string(name) + "_out"));
  }
  const Model before = n.model;
  const PassPlan plan = test::run_pass(n.model, "quantize_dynamic");
  EXPECT_EQ(plan.changes(), 3U);
  EXPECT_EQ(plan.bytes_after(), 3 * (64 * 64 + 64 * 4));
  const auto ops = test::op_types(n.graph());
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "DynamicQuantizeLinear"), 1);
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "MatMulInteger"), 3);
  EXPECT_LT(change(before, n.model), 0.02);
}

// y = x + down(silu(gate(x)) · up(x))
Network gated_network() {
  Network n;
  Graph& g = n.graph();
  const ValueId gate = g.add("MatMul", {n.x, n.constant("gate", {64, 96})}, {}, "gate_out");
  const ValueId up = g.add("MatMul", {n.x, n.constant("up", {64, 96})}, {}, "up_out");
  const ValueId open = g.add("Sigmoid", {gate}, {}, "open");
  const ValueId active = g.add("Mul", {gate, open}, {}, "active");
  const ValueId hidden = g.add("Mul", {active, up}, {}, "hidden");
  const ValueId down = g.add("MatMul", {hidden, n.constant("down", {96, 64})}, {}, "down_out");
  n.output(g.add("Add", {n.x, down}, {}, "y"));
  return n;
}

TEST(QuantizeDynamic, ProductsWithGatedInputsCanStayFloatAtTheSameSize) {
  Network integer = gated_network();
  const Model before = integer.model;
  const PassPlan all = test::run_pass(integer.model, "quantize_dynamic");
  Network mixed = gated_network();
  const PassPlan plan =
      test::run_pass(mixed.model, "quantize_dynamic", {{"gated", std::string("float")}});
  EXPECT_EQ(plan.changes(), 3U);
  EXPECT_EQ(plan.bytes_after(), all.bytes_after());
  EXPECT_THAT(plan.units[2].reason, testing::HasSubstr("float product"));
  const auto ops = test::op_types(mixed.graph());
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "MatMulInteger"), 2);
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "DequantizeLinear"), 1);
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "MatMul"), 1);
  EXPECT_LT(change(before, mixed.model), change(before, integer.model));
}

TEST(QuantizeDynamic, UnsignedWeightsComputeExactlyWhatSignedOnesDo) {
  Network n;
  n.output(n.graph().add("MatMul", {n.x, n.constant("w", {64, 48})}, {}, "y"));
  Model s8 = n.model;
  test::run_pass(s8, "quantize_dynamic");
  Model u8 = n.model;
  EXPECT_EQ(test::run_pass(u8, "quantize_dynamic", {{"weights", std::string("u8")}}).changes(), 1U);
  EXPECT_EQ(u8.graph.value(*u8.graph.find_value("w_q")).dtype, DType::uint8);
  EXPECT_TRUE(test::identical(test::run_model(s8, inputs()), test::run_model(u8, inputs())));
}

TEST(QuantizeDynamic, PerTensorStoresOneScaleOfEachWeight) {
  for (const char* form : {"s8", "s8-7bit", "u8", "auto"}) {
    Network n;
    n.output(n.graph().add("MatMul", {n.x, n.constant("w", {64, 48})}, {}, "y"));
    const Model before = n.model;
    const PassPlan plan = test::run_pass(n.model, "quantize_dynamic",
                                         {{"per_channel", false}, {"weights", std::string(form)}});
    EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("per tensor"));
    EXPECT_EQ(n.graph().constant(*n.graph().find_value("w_scale"))->size(), 1);
    if (plan.units[0].reason.find("UINT8 per") == std::string::npos) {
      EXPECT_EQ(weight_bytes(n.graph()), plan.bytes_after()) << form;
    }
    EXPECT_LT(change(before, n.model), 0.03) << form;
  }
}

TEST(QuantizeDynamic, SevenBitsStayInTheirRangeAndAutoTakesUnsignedWhereTheyCost) {
  Network n;
  n.output(n.graph().add("MatMul", {n.x, n.constant("w", {64, 48})}, {}, "y"));
  const Model before = n.model;
  Model seven = n.model;
  test::run_pass(seven, "quantize_dynamic", {{"weights", std::string("s8-7bit")}});
  for (const std::int8_t code :
       seven.graph.constant(*seven.graph.find_value("w_q"))->as<std::int8_t>()) {
    ASSERT_GE(code, -64);
    ASSERT_LE(code, 63);
  }
  Model chosen = n.model;
  test::run_pass(chosen, "quantize_dynamic", {{"weights", std::string("auto")}});
  EXPECT_EQ(chosen.graph.value(*chosen.graph.find_value("w_q")).dtype, DType::uint8);
  EXPECT_LT(change(before, seven), 0.03);
  EXPECT_LT(change(before, chosen), 0.02);
}

TEST(QuantizeDynamic, GemmKeepsItsBiasAlphaBetaAndTransposedWeight) {
  Network n;
  n.output(n.graph().add("Gemm", {n.x, n.constant("w", {48, 64}), n.constant("c", {48})},
                         {{"transB", std::int64_t{1}}, {"alpha", 0.5F}, {"beta", -2.0F}}, "y"));
  const Model before = n.model;
  const PassPlan plan = test::run_pass(n.model, "quantize_dynamic");
  EXPECT_EQ(plan.changes(), 1U) << plan.units.at(0).reason;
  EXPECT_LT(change(before, n.model), 0.02);
  EXPECT_THAT(test::op_types(n.graph()), testing::Contains("Add"));
}

TEST(QuantizeDynamic, BiasOfAMatMulStaysWhereItIs) {
  Network n;
  const ValueId h = n.graph().add("MatMul", {n.x, n.constant("w", {64, 48})}, {}, "h");
  n.output(n.graph().add("Add", {h, n.constant("b", {48})}, {}, "y"));
  const Model before = n.model;
  EXPECT_EQ(test::run_pass(n.model, "quantize_dynamic").changes(), 1U);
  EXPECT_THAT(n.model,
              test::HasOps("DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul", "Mul", "Add"));
  EXPECT_LT(change(before, n.model), 0.02);
}

TEST(QuantizeDynamic, TakesOverInt8WeightsWithoutRoundingAgain) {
  for (const bool turned : {false, true}) {
    Network n;
    const ValueId w = n.constant("w", turned ? Dims{48, 64} : Dims{64, 48});
    n.output(turned ? n.graph().add("Gemm", {n.x, w}, {{"transB", std::int64_t{1}}}, "y")
                    : n.graph().add("MatMul", {n.x, w}, {}, "y"));
    Model direct = n.model;
    test::run_pass(direct, "quantize_dynamic");
    Model stepwise = n.model;
    test::run_pass(stepwise, "quantize_weights");
    const PassPlan plan = test::run_pass(stepwise, "quantize_dynamic");
    EXPECT_EQ(plan.changes(), 1U) << plan.units[0].reason;
    EXPECT_EQ(test::op_types(stepwise.graph), test::op_types(direct.graph));
    EXPECT_TRUE(
        test::identical(test::run_model(direct, inputs()), test::run_model(stepwise, inputs())));
  }
}

TEST(QuantizeDynamic, ASecondRunFindsNothing) {
  Network n;
  n.output(n.graph().add("MatMul", {n.x, n.constant("w", {64, 48})}, {}, "y"));
  test::run_pass(n.model, "quantize_dynamic");
  EXPECT_EQ(test::run_pass(n.model, "quantize_dynamic").changes(), 0U);
}

TEST(QuantizeDynamic, OldOpsetsAreLeftWithTheReason) {
  Network n(10);
  n.output(n.graph().add("MatMul", {n.x, n.constant("w", {64, 48})}, {}, "y"));
  const PassPlan plan = test::run_pass(n.model, "quantize_dynamic");
  EXPECT_EQ(plan.changes(), 0U);
  EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("opset 11"));
}

TEST(QuantizeDynamic, RefusesSumsThatCouldOverflow) {
  for (const std::int64_t inputs : {33'025, 33'026}) {
    Model model;
    model.ir_version = 8;
    model.opsets = {{"", 13}};
    Graph& g = model.graph;
    const ValueId x = g.add_input("x", DType::float32, Shape{{-1, "n"}, {inputs, ""}});
    const ValueId w = g.add_constant("w", test::noise({inputs, 4}));
    const ValueId y = g.add("MatMul", {x, w}, {}, "y");
    g.mutable_value(y).dtype = DType::float32;
    g.add_output(y);
    const PassPlan plan = test::run_pass(model, "quantize_dynamic");
    EXPECT_EQ(plan.changes(), inputs == 33'025 ? 1U : 0U);
    if (plan.changes() == 0) {
      EXPECT_THAT(plan.units[0].reason, testing::HasSubstr("overflow"));
    }
  }
}

}  // namespace
}  // namespace onnxpress
