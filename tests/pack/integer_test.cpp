// SPDX-License-Identifier: Apache-2.0
#include "pack/integer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "exec/session.h"
#include "pack/matrices.h"
#include "pack/storage.h"

namespace onnxpress {
namespace {

Model model_of(const QuantizedMatrix& q, bool keep_layout) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& graph = model.graph;
  const ValueId x = graph.add_input("x", DType::float32, Shape{{-1, "n"}, {q.in, ""}});
  const ValueId y = graph.add_value("y", DType::float32);
  const DynamicInput input = quantize_input(graph, x, "x");
  integer_product(graph, input, pack_integer(graph, q, "w", keep_layout), y, "y");
  graph.add_output(y);
  graph.sort();
  graph.verify();
  return model;
}

NodeId product_of(const Graph& graph) {
  for (const NodeId id : graph.nodes()) {
    if (graph.node(id).is("MatMulInteger")) return id;
  }
  return NodeId{-1};
}

TEST(Integer, ProductsThatShareAWeightHaveNodesOfDifferentNames) {
  Model model = model_of(test::random_matrix({8, 0, true}, 6, 4, MatrixLayout::in_out), false);
  Graph& graph = model.graph;
  const Node& first = graph.node(product_of(graph));
  const IntegerWeight w{graph.find_value("w_q").value(), graph.find_value("w_scale").value()};
  EXPECT_EQ(first.input(1), w.codes);
  const ValueId x = graph.add_input("x2", DType::float32, Shape{{-1, "n"}, {6, ""}});
  const ValueId y = graph.add_value("y2", DType::float32);
  integer_product(graph, quantize_input(graph, x, "x"), w, y, "y2");
  graph.add_output(y);
  std::set<std::string> names;
  for (const NodeId id : graph.nodes()) {
    EXPECT_TRUE(names.insert(graph.node(id).name).second) << graph.node(id).name;
  }
}

TEST(Integer, CodesAndScalesComeBackBitForBit) {
  for (const MatrixLayout layout : test::kLayouts) {
    for (const bool keep_layout : {false, true}) {
      const QuantizedMatrix q = test::random_matrix({8, 0, true}, 70, 9, layout);
      const Model model = model_of(q, keep_layout);
      const auto back = unpack_integer(model.graph, product_of(model.graph));
      ASSERT_TRUE(back.has_value());
      EXPECT_EQ(back->scales, q.scales);
      if (back->layout == layout) {
        EXPECT_EQ(back->codes, q.codes);
      } else {  // turned while it was packed
        EXPECT_FALSE(keep_layout);
        for (std::int64_t i = 0; i < q.in; ++i) {
          for (std::int64_t o = 0; o < q.out; ++o) {
            ASSERT_EQ(back->codes[static_cast<std::size_t>(i * q.out + o)],
                      q.codes[static_cast<std::size_t>(o * q.in + i)]);
          }
        }
      }
    }
  }
}

TEST(Integer, UnsignedCodesComeBackWithTheirZeroPointAndComputeTheSame) {
  for (const MatrixLayout layout : test::kLayouts) {
    const QuantizedMatrix q = test::random_matrix({8, 0, true}, 70, 9, layout);
    QuantizedMatrix u = q;
    u.grid.symmetric = false;
    u.zero_points.assign(9, 128);
    const Model model = model_of(u, true);
    const NodeId product = product_of(model.graph);
    const auto back = unpack_integer(model.graph, product);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, u);
    EXPECT_EQ(model.graph.constant(model.graph.node(product).input(3))->size(), 1);
    const TensorMap x{{"x", Tensor::of<float>({1, 70}, std::vector<float>(70, 0.3F))}};
    EXPECT_EQ(Session(model).run(x).at("y"), Session(model_of(q, true)).run(x).at("y"));
  }
}

TEST(Integer, OneScalePerTensorIsStoredOnceAndComputesTheSame) {
  for (const MatrixLayout layout : test::kLayouts) {
    QuantizedMatrix q = test::random_matrix({8, 0, true}, 70, 9, layout);
    q.scales.assign(9, 0.25F);
    const TensorMap x{{"x", Tensor::of<float>({1, 70}, std::vector<float>(70, 0.3F))}};
    const Tensor wanted = Session(model_of(q, true)).run(x).at("y");
    q.grid.per_tensor = true;
    const Model model = model_of(q, true);
    const auto back = unpack_integer(model.graph, product_of(model.graph));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, q);
    EXPECT_EQ(model.graph.constant(*model.graph.find_value("w_scale"))->dims(), Dims{});
    EXPECT_EQ(Session(model).run(x).at("y"), wanted);
  }
}

TEST(Integer, ComputesTheProductWithinTheRoundingOfTheInput) {
  const QuantizedMatrix q = test::random_matrix({8, 0, true}, 64, 8, MatrixLayout::out_in);
  const Model model = model_of(q, true);
  std::vector<float> x(2 * 64);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  const TensorMap out = Session(model).run({{"x", Tensor::of<float>({2, 64}, x)}});
  const auto y = out.at("y").as<float>();
  const auto w = dequantize(q);  // [out, in]
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t o = 0; o < 8; ++o) {
      double exact = 0;
      double bound = 0;  // half a step of the input for each weight
      for (std::size_t i = 0; i < 64; ++i) {
        exact += static_cast<double>(x[row * 64 + i]) * static_cast<double>(w[o * 64 + i]);
        bound += 0.5 * (2.0 / 255) * std::abs(static_cast<double>(w[o * 64 + i]));
      }
      EXPECT_NEAR(y[row * 8 + o], exact, bound * 1.001);
      EXPECT_NE(y[row * 8 + o], 0);
    }
  }
}

TEST(Integer, OtherNodesAreDeclined) {
  Model model = model_of(test::random_matrix({8, 0, true}, 8, 4, MatrixLayout::in_out), false);
  const NodeId product = product_of(model.graph);
  model.graph.mutable_node(product).op_type = "MatMul";
  EXPECT_FALSE(unpack_integer(model.graph, product).has_value());
}

}  // namespace
}  // namespace onnxpress
