// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "exec/run.h"
#include "onnxpress/error.h"

namespace onnxpress::test {
namespace {

TEST(QuantizeLinear, RoundsHalfToEvenAndSaturates) {
  EXPECT_EQ(run(R"(g (float[6] x) => (int8[6] y) <float s = {2}, int8 z = {1}>
                { y = QuantizeLinear(x, s, z) })",
                {{"x", floats({6}, {1, 3, 5, -1, 1000, -1000})}}),
            Tensor::of<std::int8_t>({6}, {1, 3, 3, 1, 127, -128}));
}

TEST(QuantizeLinear, GivesUnsignedBytesWithoutAZeroPoint) {
  EXPECT_EQ(run("g (float[3] x) => (uint8[3] y) <float s = {1}> { y = QuantizeLinear(x, s) }",
                {{"x", floats({3}, {-3, 7.4F, 300})}}),
            Tensor::of<std::uint8_t>({3}, {0, 7, 255}));
}

TEST(DequantizeLinear, TakesOneScaleAnAxisOrBlocks) {
  const Tensor x = Tensor::of<std::int8_t>({2, 4}, {1, 2, 3, 4, -1, -2, -3, -4});
  EXPECT_EQ(run(R"(g (int8[2,4] x) => (float[2,4] y) <float s = {0.5}, int8 z = {1}>
                { y = DequantizeLinear(x, s, z) })",
                {{"x", x}}),
            floats({2, 4}, {0, 0.5, 1, 1.5, -1, -1.5, -2, -2.5}));
  EXPECT_EQ(run(R"(g (int8[2,4] x) => (float[2,4] y) <float[2] s = {1, 10}, int8[2] z = {0, -1}>
                { y = DequantizeLinear<axis = 0>(x, s, z) })",
                {{"x", x}}),
            floats({2, 4}, {1, 2, 3, 4, 0, -10, -20, -30}));
  constexpr const char* kBlocked = R"(<ir_version: 10, opset_import: ["" : 21]>
    g (int8[2,4] x) => (float[2,4] y) <float[2,2] s = {1, 10, 100, 1000}>
    { y = DequantizeLinear<axis = 1, block_size = 2>(x, s) })";
  EXPECT_EQ(run(kBlocked, {{"x", x}}), floats({2, 4}, {1, 2, 30, 40, -100, -200, -3000, -4000}));
}

TEST(DequantizeLinear, UnpacksFourBits) {
  Model model = parse(R"(<ir_version: 10, opset_import: ["" : 21]>
    g (float[1] a) => (float[4] y) <float s = {1}> { y = Identity(a) })");
  Graph g;
  const ValueId packed =
      g.add_constant("w", Tensor::from_bytes(DType::int4, {3}, {std::byte{0x9F}, std::byte{0x07}}));
  const ValueId scale = g.add_constant("s", Tensor::scalar<float>(2));
  const ValueId y = g.add("DequantizeLinear", {packed, scale}, {}, "y");
  g.add_output(y);
  model.graph = std::move(g);
  const auto out = Session(model, {.threads = 1}).run({});
  EXPECT_EQ(out.begin()->second, floats({3}, {-2, -14, 14}));
}

TEST(DequantizeLinear, RefusesScalesThatDoNotFit) {
  EXPECT_THROW(run(R"(g (int8[2,3] x) => (float[2,3] y) <float[2] s = {1, 2}>
                   { y = DequantizeLinear<axis = 1>(x, s) })",
                   {{"x", Tensor::of<std::int8_t>({2, 3}, {1, 2, 3, 4, 5, 6})}}),
               Error);
}

TEST(DynamicQuantizeLinear, CoversZeroAndTheWholeRange) {
  const Model model = parse(R"(g (float[n] x) => (uint8[n] y, float s, uint8 z)
    { y, s, z = DynamicQuantizeLinear(x) })");
  const Session session(model, {.threads = 1, .reference_kernels = true});
  auto out = session.run({{"x", floats({4}, {-1, 0, 1, 1.55F})}});
  EXPECT_FLOAT_EQ(out.at("s").as<float>()[0], 0.01F);
  EXPECT_EQ(out.at("z"), Tensor::scalar<std::uint8_t>(100));
  EXPECT_EQ(out.at("y"), Tensor::of<std::uint8_t>({4}, {0, 100, 200, 255}));
  out = session.run({{"x", floats({2}, {0, 0})}});
  EXPECT_EQ(out.at("y"), Tensor::of<std::uint8_t>({2}, {0, 0}));
  out = session.run({{"x", floats({0}, {})}});
  EXPECT_EQ(out.at("y").size(), 0);
}

}  // namespace
}  // namespace onnxpress::test
