// SPDX-License-Identifier: Apache-2.0
// tests/interop/targets_test.py holds every rule against ONNX Runtime; here is what it can't see.
#include "targets/quantized_products.h"

#include <gtest/gtest.h>

#include <utility>

namespace onnxpress {
namespace {

struct Product {
  Graph graph;
  ValueId x, codes, scale, zero;

  explicit Product(int rank = 3) {
    Shape shape(static_cast<std::size_t>(rank), {-1, "n"});
    shape.back() = {8, ""};
    x = graph.add_input("x", DType::float32, shape);
    scale = graph.add_constant("s", Tensor::scalar(0.1F));
    zero = graph.add_constant("z", Tensor::scalar(std::uint8_t{3}));
    codes = graph.add("QuantizeLinear", {x, scale, zero}, {}, "q", "", DType::uint8, shape);
  }
  ValueId input() {
    return graph.add("DequantizeLinear", {codes, scale, zero}, {}, "d", "", DType::float32,
                     graph.value(x).shape);
  }
  ValueId weight(std::vector<std::int8_t> values = std::vector<std::int8_t>(16, 1)) {
    const ValueId w = graph.add_constant("w", Tensor::of<std::int8_t>({8, 2}, std::move(values)));
    return graph.add("DequantizeLinear", {w, scale}, {}, "wd", "", DType::float32,
                     Shape{{8, ""}, {2, ""}});
  }
  QuantizedProduct only() {
    const auto products = quantized_products(graph);
    EXPECT_EQ(products.size(), 1U);
    return products.empty() ? QuantizedProduct{} : products[0];
  }
};

TEST(QuantizedProducts, AnIntegerProductTellsItsWeight) {
  Product p;
  p.graph.add_output(p.graph.add("MatMul", {p.input(), p.weight()}, {}, "y"));
  const QuantizedProduct product = p.only();
  EXPECT_EQ(product.fate, ProductFate::integer);
  ASSERT_NE(product.int8_weight, nullptr);
  EXPECT_EQ(product.int8_weight->dims(), (Dims{8, 2}));
  EXPECT_FALSE(product.turned);
}

TEST(QuantizedProducts, ARowOfVectorsWithABiasIsNoIntegerProduct) {
  for (const int rank : {2, 3}) {
    Product p(rank);
    const ValueId y = p.graph.add("MatMul", {p.input(), p.weight()}, {}, "y");
    const ValueId bias = p.graph.add_constant("b", Tensor::of<float>({2}, {1, 2}));
    p.graph.add_output(p.graph.add("Add", {y, bias}, {}, "z"));
    EXPECT_EQ(p.only().fate, rank == 2 ? ProductFate::floating : ProductFate::integer);
  }
}

TEST(QuantizedProducts, ProductsOfFloatsAreNotCounted) {
  Product p;
  const ValueId w = p.graph.add_constant("f", Tensor::of<float>({8, 1}, std::vector<float>(8, 1)));
  p.graph.add_output(p.graph.add("MatMul", {p.x, w}, {}, "y"));
  EXPECT_TRUE(quantized_products(p.graph).empty());
}

TEST(QuantizedProducts, AnIntegerOperatorWithUnsignedWeightsDoesNotSaturate) {
  for (const bool is_unsigned : {false, true}) {
    Product p;
    const Tensor w = is_unsigned
                         ? Tensor::of<std::uint8_t>({8, 2}, std::vector<std::uint8_t>(16, 1))
                         : Tensor::of<std::int8_t>({8, 2}, std::vector<std::int8_t>(16, 1));
    p.graph.add_output(
        p.graph.add("MatMulInteger", {p.codes, p.graph.add_constant("w", w), p.zero}, {}, "y"));
    EXPECT_EQ(p.only().int8_weight == nullptr, is_unsigned);
  }
}

}  // namespace
}  // namespace onnxpress
