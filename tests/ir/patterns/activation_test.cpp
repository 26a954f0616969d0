// SPDX-License-Identifier: Apache-2.0
#include "ir/patterns/activation.h"

#include <gtest/gtest.h>

#include "ir/patterns/constants.h"

namespace onnxpress::patterns {
namespace {

class ActivationTest : public testing::Test {
 protected:
  ValueId op(std::string_view type, std::vector<ValueId> in, Attributes attributes = {}) {
    return g.add(type, std::move(in), std::move(attributes), "v");
  }
  ValueId number(float value) { return g.add_constant("c", Tensor::scalar<float>(value)); }

  std::vector<ActivationMatch> all() {
    g.sort();
    std::vector<ActivationMatch> found;
    for (const NodeId id : g.nodes()) {
      if (auto match = match_activation(g, id)) found.push_back(std::move(*match));
    }
    return found;
  }
  // The graph computes `y` from x by this activation, and by nothing else.
  void expect_only(ActivationKind kind, ValueId y) {
    g.add_output(y);
    const auto found = all();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(name(found[0].kind), name(kind));
    EXPECT_EQ(found[0].input, x);
    EXPECT_EQ(found[0].output, y);
    EXPECT_EQ(found[0].nodes.size(), g.nodes().size());
    EXPECT_TRUE(is_replaceable(g, found[0].nodes, y));
    g = Graph();
    x = g.add_input("x", DType::float32, std::nullopt);
  }

  Graph g;
  ValueId x = g.add_input("x", DType::float32, std::nullopt);
};

TEST_F(ActivationTest, FindsGeluByErf) {
  const auto erf = [&] { return op("Erf", {op("Div", {x, number(1.4142135F)})}); };
  const auto erf_mul = [&] { return op("Erf", {op("Mul", {number(0.70710678F), x})}); };
  const auto plus_one = [&](ValueId v) { return op("Add", {v, number(1)}); };
  const auto half = [&](ValueId v) { return op("Mul", {v, number(0.5F)}); };
  // (x · (1 + erf)) · 0.5
  expect_only(ActivationKind::gelu, half(op("Mul", {x, plus_one(erf())})));
  // (x · 0.5) · (1 + erf)
  expect_only(ActivationKind::gelu, op("Mul", {half(x), plus_one(erf_mul())}));
  // x · (0.5 · (1 + erf)) and x · (0.5 · erf + 0.5)
  expect_only(ActivationKind::gelu, op("Mul", {x, half(plus_one(erf()))}));
  expect_only(ActivationKind::gelu, op("Mul", {op("Add", {half(erf()), number(0.5F)}), x}));
  // 0.5 x + 0.5 x · erf
  const ValueId half_x = half(x);
  expect_only(ActivationKind::gelu, op("Add", {half_x, op("Mul", {half_x, erf()})}));
  // x · (1 + erf) / 2, through Casts
  const ValueId wide = op("Cast", {x}, {{"to", std::int64_t{1}}});
  const ValueId inner = op("Erf", {op("Div", {wide, op("Sqrt", {number(2)})})});
  const ValueId y = op("Div", {op("Mul", {wide, plus_one(inner)}), number(2)});
  g.add_output(y);
  const auto found = all();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, ActivationKind::gelu);
  EXPECT_EQ(found[0].input, wide);
  EXPECT_EQ(found[0].output, y);
}

TEST_F(ActivationTest, FindsTheTanhApproximation) {
  const auto cube = [&] { return op("Pow", {x, number(3)}); };
  const auto finish = [&](ValueId t) {
    return op("Mul", {op("Mul", {x, number(0.5F)}), op("Add", {t, number(1)})});
  };
  // tanh(√(2/π) (x + 0.044715 x³))
  const auto inner = op("Add", {x, op("Mul", {cube(), number(0.044715F)})});
  expect_only(ActivationKind::gelu_tanh,
              finish(op("Tanh", {op("Mul", {inner, number(0.7978845608F)})})));
  // tanh(√(2/π) x (1 + 0.044715 x²))
  const ValueId square = op("Mul", {x, x});
  const ValueId bracket = op("Add", {number(1), op("Mul", {square, number(0.044715F)})});
  const ValueId scaled = op("Mul", {x, number(0.7978845608F)});
  expect_only(ActivationKind::gelu_tanh, finish(op("Tanh", {op("Mul", {scaled, bracket})})));
  // Pow of a converted exponent
  const ValueId three = op("Cast", {number(3)}, {{"to", std::int64_t{1}}});
  const ValueId third = op("Mul", {op("Pow", {x, three}), number(0.044715F)});
  const ValueId sum = op("Mul", {op("Add", {x, third}), number(0.7978845608F)});
  g.add_output(finish(op("Tanh", {sum})));
  EXPECT_EQ(all().at(0).kind, ActivationKind::gelu_tanh);
}

TEST_F(ActivationTest, FindsSigmoidGates) {
  expect_only(ActivationKind::silu, op("Mul", {x, op("Sigmoid", {x})}));
  expect_only(ActivationKind::quick_gelu,
              op("Mul", {op("Sigmoid", {op("Mul", {number(1.702F), x})}), x}));
  expect_only(ActivationKind::mish, op("Mul", {x, op("Tanh", {op("Softplus", {x})})}));
}

TEST_F(ActivationTest, FindsSingleOperators) {
  expect_only(ActivationKind::relu, op("Relu", {x}));
  expect_only(ActivationKind::tanh, op("Tanh", {x}));
  expect_only(ActivationKind::sigmoid, op("Sigmoid", {x}));
  expect_only(ActivationKind::gelu, op("Gelu", {x}));
  expect_only(ActivationKind::gelu_tanh, op("Gelu", {x}, {{"approximate", std::string("tanh")}}));
  expect_only(ActivationKind::hard_swish, op("HardSwish", {x}));
  expect_only(ActivationKind::silu, op("Swish", {x}));
  expect_only(ActivationKind::gelu, g.add("Gelu", {x}, {}, "y", "com.microsoft"));
  expect_only(ActivationKind::quick_gelu, g.add("QuickGelu", {x}, {}, "y", "com.microsoft"));
  const ValueId relu = op("Relu", {x});
  expect_only(ActivationKind::relu_squared, op("Mul", {relu, relu}));
  expect_only(ActivationKind::relu_squared, op("Pow", {op("Relu", {x}), number(2)}));
}

TEST_F(ActivationTest, TellsOtherSlopesApart) {
  g.add_output(op("Mul", {x, op("Sigmoid", {op("Mul", {number(1.5F), x})})}));
  const auto found = all();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, ActivationKind::sigmoid);
  g = Graph();
  x = g.add_input("x", DType::float32, std::nullopt);
  g.add_output(op("Mul", {x, op("Erf", {x})}));
  EXPECT_TRUE(all().empty());
}

TEST_F(ActivationTest, KeepsAGateOfAnotherValueApart) {
  // A gated unit: the sigmoid of one value times another is no swish.
  const ValueId other = g.add_input("other", DType::float32, std::nullopt);
  g.add_output(op("Mul", {other, op("Sigmoid", {x})}));
  const auto found = all();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, ActivationKind::sigmoid);
}

}  // namespace
}  // namespace onnxpress::patterns
