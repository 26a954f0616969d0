// SPDX-License-Identifier: Apache-2.0
#include "ir/patterns/norm.h"

#include <gtest/gtest.h>

#include <string>

#include "ir/patterns/constants.h"

namespace onnxpress::patterns {
namespace {

using Ints = std::vector<std::int64_t>;

class NormTest : public testing::Test {
 protected:
  ValueId op(std::string_view type, std::vector<ValueId> in, Attributes attributes = {}) {
    return g.add(type, std::move(in), std::move(attributes), "v");
  }
  ValueId number(float value) { return g.add_constant("c", Tensor::of<float>({1}, {value})); }
  ValueId row(float first) { return g.add_constant("r", Tensor::of<float>({4}, {first, 2, 3, 4})); }
  ValueId mean(ValueId v) { return op("ReduceMean", {v}, {{"axes", Ints{-1}}}); }
  ValueId cast(ValueId v, DType to) {
    return op("Cast", {v}, {{"to", static_cast<std::int64_t>(to)}});
  }

  // All matches of the graph; each anchor is tried, as users do.
  std::vector<NormMatch> all() {
    g.sort();
    std::vector<NormMatch> found;
    for (const NodeId id : g.nodes()) {
      if (auto match = match_norm(g, id)) found.push_back(std::move(*match));
    }
    return found;
  }
  NormMatch only() {
    auto found = all();
    EXPECT_EQ(found.size(), 1U);
    if (found.size() != 1) return {};
    EXPECT_TRUE(is_replaceable(g, found[0].nodes, found[0].output));
    return found[0];
  }

  Graph g;
  ValueId x = g.add_input("x", DType::float32, std::nullopt);
};

TEST_F(NormTest, ReadsTheOperator) {
  const ValueId gain = row(1);
  const ValueId shift = row(0);
  const ValueId y = op("LayerNormalization", {x, gain, shift}, {{"epsilon", 0.25F}});
  const NormMatch match = only();
  EXPECT_EQ(match.kind, NormKind::layer);
  EXPECT_EQ(match.input, x);
  EXPECT_EQ(match.gain, gain);
  EXPECT_EQ(match.shift, shift);
  EXPECT_EQ(match.output, y);
  EXPECT_EQ(match.epsilon, 0.25);
  EXPECT_FALSE(match.decomposed);
}

TEST_F(NormTest, ReadsTheSkipOperators) {
  const ValueId skip = g.add_input("skip", DType::float32, std::nullopt);
  const ValueId gain = row(1);
  const ValueId bias = row(9);
  g.add("SkipSimplifiedLayerNormalization", {x, skip, gain, bias}, {}, "y", "com.microsoft");
  const NormMatch match = only();
  EXPECT_EQ(match.kind, NormKind::rms);
  EXPECT_EQ(match.residual, skip);
  EXPECT_EQ(match.input_bias, bias);
  EXPECT_EQ(match.shift, kNoValue);
}

// Every way to write a layer norm that differs in one step from another.
TEST_F(NormTest, FindsALayerNormInEveryDialect) {
  for (int dialect = 0; dialect < 64; ++dialect) {
    SCOPED_TRACE(dialect);
    g = Graph();
    x = g.add_input("x", DType::float32, std::nullopt);
    const bool by_mul = dialect & 1, reciprocal = dialect & 2, swapped = dialect & 4;
    const bool casts = dialect & 8, twin = dialect & 16, affine = dialect & 32;
    const ValueId m = mean(x);
    ValueId c = op("Sub", {x, m});
    const ValueId numerator = twin ? op("Sub", {x, m}) : c;
    if (casts) c = cast(c, DType::float32);
    const ValueId square = by_mul ? op("Mul", {c, c}) : op("Pow", {c, number(2)});
    const ValueId epsilon = number(1e-5F);
    const ValueId variance = mean(square);
    const ValueId root =
        op("Sqrt", {swapped ? op("Add", {epsilon, variance}) : op("Add", {variance, epsilon})});
    ValueId y{};
    if (reciprocal) {
      const ValueId inverse = swapped ? op("Div", {number(1), root}) : op("Reciprocal", {root});
      y = swapped ? op("Mul", {inverse, numerator}) : op("Mul", {numerator, inverse});
    } else {
      y = op("Div", {numerator, root});
    }
    const ValueId gain = row(7);
    const ValueId shift = row(8);
    if (affine) {
      if (casts) y = cast(y, DType::float16);
      y = swapped ? op("Mul", {gain, y}) : op("Mul", {y, gain});
      y = swapped ? op("Add", {shift, y}) : op("Add", {y, shift});
    }
    g.add_output(y);
    const NormMatch match = only();
    EXPECT_EQ(match.kind, NormKind::layer);
    EXPECT_EQ(match.input, x);
    EXPECT_EQ(match.output, y);
    EXPECT_EQ(match.gain, affine ? gain : kNoValue);
    EXPECT_EQ(match.shift, affine ? shift : kNoValue);
    EXPECT_FLOAT_EQ(static_cast<float>(match.epsilon), 1e-5F);
    EXPECT_TRUE(match.decomposed);
    EXPECT_EQ(match.axis, -1);
    EXPECT_EQ(match.nodes.size(), g.nodes().size());
  }
}

TEST_F(NormTest, FindsTheDistributedForm) {
  const ValueId m = mean(x);
  const ValueId c = op("Sub", {x, m});
  const ValueId root = op("Sqrt", {op("Add", {mean(op("Mul", {c, c})), number(1e-12F)})});
  const ValueId gain = row(7);
  const ValueId shift = row(8);
  const ValueId factor = op("Mul", {op("Reciprocal", {root}), gain});
  const ValueId left = op("Mul", {x, factor});
  const ValueId y = op("Add", {left, op("Sub", {shift, op("Mul", {m, factor})})});
  g.add_output(y);
  const NormMatch match = only();
  EXPECT_EQ(match.gain, gain);
  EXPECT_EQ(match.shift, shift);
  EXPECT_EQ(match.output, y);
  EXPECT_EQ(match.nodes.size(), g.nodes().size());
}

TEST_F(NormTest, FindsAnRmsNormInEveryDialect) {
  for (int dialect = 0; dialect < 16; ++dialect) {
    SCOPED_TRACE(dialect);
    g = Graph();
    x = g.add_input("x", DType::float16, std::nullopt);
    const bool by_power = dialect & 1, casts = dialect & 2, swapped = dialect & 4;
    const bool plus_one = dialect & 8;
    const ValueId wide = casts ? cast(x, DType::float32) : x;
    const ValueId sum = op("Add", {mean(op("Pow", {wide, number(2)})), number(1e-6F)});
    const ValueId inverse =
        by_power ? op("Pow", {sum, number(-0.5F)}) : op("Div", {number(1), op("Sqrt", {sum})});
    ValueId y = swapped ? op("Mul", {inverse, wide}) : op("Mul", {wide, inverse});
    if (casts) y = cast(y, DType::float16);
    ValueId gain = row(3);
    if (plus_one) gain = op("Add", {number(1), gain});  // Gemma
    y = swapped ? op("Mul", {gain, y}) : op("Mul", {y, gain});
    g.add_output(y);
    const NormMatch match = only();
    EXPECT_EQ(match.kind, NormKind::rms);
    EXPECT_EQ(match.input, wide);
    EXPECT_EQ(match.gain, gain);
    EXPECT_EQ(match.shift, kNoValue);
    EXPECT_EQ(match.output, y);
  }
}

TEST_F(NormTest, LeavesAScaleOfAllElementsOutside) {
  const ValueId sum = op("Add", {mean(op("Mul", {x, x})), number(1e-6F)});
  const ValueId y = op("Mul", {x, op("Reciprocal", {op("Sqrt", {sum})})});
  const ValueId gain = row(3);
  const ValueId normed = op("Mul", {y, gain});
  g.add_output(op("Mul", {normed, number(0.125F)}));  // T5 scales before its head
  EXPECT_EQ(only().output, normed);
}

TEST_F(NormTest, StopsWhereAStepIsReadElsewhere) {
  const ValueId c = op("Sub", {x, mean(x)});
  const ValueId root = op("Sqrt", {op("Add", {mean(op("Mul", {c, c})), number(1e-6F)})});
  const ValueId y = op("Div", {c, root});
  g.add_output(op("Mul", {y, row(1)}));
  g.add_output(op("Mul", {y, row(2)}));
  const NormMatch match = only();
  EXPECT_EQ(match.output, y);
  EXPECT_EQ(match.gain, kNoValue);
  g.add_output(c);
  EXPECT_FALSE(is_replaceable(g, all()[0].nodes, y));
}

TEST_F(NormTest, SeparatesGainsThatShareANormalisedValue) {
  const ValueId c = op("Sub", {x, mean(x)});
  const ValueId root = op("Sqrt", {op("Add", {mean(op("Mul", {c, c})), number(1e-6F)})});
  const ValueId y = op("Div", {c, root});
  const ValueId first = op("Add", {op("Mul", {y, row(1)}), row(2)});
  const ValueId second = op("Add", {op("Mul", {row(3), y}), row(4)});
  g.add_output(first);
  g.add_output(second);
  g.sort();
  const auto found = match_norms(g, *g.producer_id(root));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].output, first);
  EXPECT_EQ(found[1].output, second);
  EXPECT_NE(found[0].gain, found[1].gain);
  EXPECT_EQ(found[0].nodes.size(), found[1].nodes.size());
  EXPECT_FALSE(is_replaceable(g, found[0].nodes, found[0].output));
}

TEST_F(NormTest, IsNotFooledByLookalikes) {
  // A standard deviation, a norm over channels, a root of something else.
  const ValueId c = op("Sub", {x, mean(x)});
  g.add_output(op("Sqrt", {op("Add", {mean(op("Mul", {c, c})), number(1e-6F)})}));
  const ValueId m1 = op("ReduceMean", {x}, {{"axes", Ints{1}}});
  const ValueId c1 = op("Sub", {x, m1});
  const ValueId v1 = op("ReduceMean", {op("Mul", {c1, c1})}, {{"axes", Ints{1}}});
  g.add_output(op("Div", {c1, op("Sqrt", {op("Add", {v1, number(1e-6F)})})}));
  g.add_output(op("Div", {x, op("Sqrt", {number(2)})}));
  g.add_output(op("Div", {c, op("Sqrt", {op("Add", {mean(op("Mul", {x, c})), number(1)})})}));
  EXPECT_TRUE(all().empty());
}

}  // namespace
}  // namespace onnxpress::patterns
