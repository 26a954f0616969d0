// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "exec/run.h"
#include "onnxpress/error.h"

namespace onnxpress::test {
namespace {

Tensor random_floats(Dims dims, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> all(static_cast<std::size_t>(*element_count(dims)));
  for (float& value : all) value = uniform(generator);
  return floats(std::move(dims), all);
}

// c[m, n] of one matrix each, by the definition.
std::vector<float> product(const float* a, const float* b, std::int64_t m, std::int64_t k,
                           std::int64_t n) {
  std::vector<float> c;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t l = 0; l < k; ++l) {
        sum += static_cast<double>(a[i * k + l]) * static_cast<double>(b[l * n + j]);
      }
      c.push_back(static_cast<float>(sum));
    }
  }
  return c;
}

constexpr const char* kMatMul = "g (float[a] x, float[b] y) => (float[c] z) { z = MatMul(x, y) }";

Tensor matmul(const Tensor& a, const Tensor& b) {
  Model model = parse(kMatMul);
  for (const ValueId id : model.graph.inputs()) model.graph.mutable_value(id).shape.reset();
  const Session session(model, {.threads = 2, .reference_kernels = true, .fuse = false});
  return session.run({{"x", a}, {"y", b}}).at("z");
}

TEST(MatMul, AgreesWithTheDefinitionForManySizes) {
  unsigned seed = 1;
  for (const std::int64_t m : {1, 2, 17, 65}) {
    for (const std::int64_t k : {1, 3, 64, 129}) {
      for (const std::int64_t n : {1, 5, 33}) {
        const Tensor a = random_floats({m, k}, seed++), b = random_floats({k, n}, seed++);
        const Tensor expected =
            floats({m, n}, product(a.as<float>().data(), b.as<float>().data(), m, k, n));
        EXPECT_LE(max_difference(matmul(a, b), expected), 2e-5) << m << " " << k << " " << n;
      }
    }
  }
}

TEST(MatMul, BroadcastsBatches) {
  const Tensor a = random_floats({2, 1, 3, 4}, 1), b = random_floats({5, 4, 2}, 2);
  const Tensor c = matmul(a, b);
  ASSERT_EQ(c.dims(), (Dims{2, 5, 3, 2}));
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t j = 0; j < 5; ++j) {
      const auto expected =
          product(a.as<float>().data() + i * 12, b.as<float>().data() + j * 8, 3, 4, 2);
      for (std::size_t l = 0; l < 6; ++l) {
        EXPECT_NEAR(c.as<float>()[static_cast<std::size_t>(i * 5 + j) * 6 + l], expected[l], 1e-6);
      }
    }
  }
}

TEST(MatMul, TakesVectorsAndEmptyMatrices) {
  const Tensor v = floats({2}, {1, 2}), m = floats({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(matmul(v, m), floats({2}, {7, 10}));
  EXPECT_EQ(matmul(m, v), floats({2}, {5, 11}));
  EXPECT_EQ(matmul(v, v), floats({}, {5}));
  EXPECT_EQ(matmul(floats({0, 2}, {}), m), floats({0, 2}, {}));
  EXPECT_EQ(matmul(floats({2, 0}, {}), floats({0, 3}, {})), floats({2, 3}, {0, 0, 0, 0, 0, 0}));
  EXPECT_THROW(matmul(m, floats({3, 2}, {1, 2, 3, 4, 5, 6})), Error);
}

TEST(Gemm, TransposesScalesAndAddsABroadcastBias) {
  const Tensor a = random_floats({4, 3}, 1), b = random_floats({5, 4}, 2);
  const Tensor c =
      run("g (float[4,3] a, float[5,4] b, float[3,1] c) => (float[3,5] y) "
          "{ y = Gemm<transA = 1, transB = 1, alpha = 2.0, beta = 0.5>(a, b, c) }",
          {{"a", a}, {"b", b}, {"c", floats({3, 1}, {2, 4, 6})}});
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 5; ++j) {
      float expected = static_cast<float>(i) + 1;
      for (std::size_t l = 0; l < 4; ++l) {
        expected += 2 * a.as<float>()[l * 3 + i] * b.as<float>()[j * 4 + l];
      }
      EXPECT_NEAR(c.as<float>()[i * 5 + j], expected, 1e-5);
    }
  }
}

TEST(MatMulInteger, IsExactAtTheEndsOfTheRange) {
  // The products that saturate where 16-bit pairs are summed: 255 · 127, many times.
  const std::int64_t k = 384;
  const Tensor a = Tensor::of<std::uint8_t>({1, k}, std::vector<std::uint8_t>(384, 255));
  const Tensor b = Tensor::of<std::int8_t>({k, 1}, std::vector<std::int8_t>(384, 127));
  const Tensor low = Tensor::of<std::int8_t>({k, 1}, std::vector<std::int8_t>(384, -128));
  constexpr const char* kProduct =
      "g (uint8[1,384] a, int8[384,1] b) => (int32[1,1] y) { y = MatMulInteger(a, b) }";
  EXPECT_EQ(run(kProduct, {{"a", a}, {"b", b}}), Tensor::of<std::int32_t>({1, 1}, {12435840}));
  EXPECT_EQ(run(kProduct, {{"a", a}, {"b", low}}), Tensor::of<std::int32_t>({1, 1}, {-12533760}));
}

TEST(MatMulInteger, SubtractsZeroPointsByTensorRowAndColumn) {
  const Tensor a = Tensor::of<std::uint8_t>({2, 2}, {1, 2, 3, 4});
  const Tensor b = Tensor::of<std::int8_t>({2, 2}, {5, 6, 7, 8});
  EXPECT_EQ(
      run(R"(g (uint8[2,2] a, int8[2,2] b) => (int32[2,2] y) <uint8 p = {1}, int8[2] q = {1, 2}>
                { y = MatMulInteger(a, b, p, q) })",
          {{"a", a}, {"b", b}}),
      Tensor::of<std::int32_t>({2, 2}, {6, 6, 2 * 4 + 3 * 6, 2 * 4 + 3 * 6}));
}

}  // namespace
}  // namespace onnxpress::test
