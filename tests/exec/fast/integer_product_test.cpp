// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>

#include "exec/fast/packed_weights.h"
#include "exec/fast/products.h"
#include "levels.h"

namespace onnxpress::exec::fast {
namespace {

class IntegerProducts : public test::EveryLevel {
 protected:
  IntegerProduct problem(const PackedIntegers& w, std::int64_t rows) {
    IntegerProduct p;
    p.a = a_.data();
    p.b = w.data();
    p.column_sums = w.column_sums().data();
    p.rows = rows;
    p.k = w.k();
    p.n = p.c_stride = p.residual_stride = w.n();
    return p;
  }

  void multiply_with(int threads, const IntegerProduct& p) {
    ThreadPool pool(threads);
    const AlignedBytes scratch(integer_scratch(functions(), p.rows, p.k) + 64);
    multiply(functions(), pool, p, scratch.data());
  }

  // Compares with plain sums and with another number of threads; everything is exact.
  void check(std::int64_t rows, std::int64_t k, std::int64_t n, std::int32_t zero_point) {
    const PackedIntegers w(functions(), b_, {n, 1}, k, n);
    const auto size = static_cast<std::size_t>(rows * n);
    std::vector<std::int32_t> one(size), three(size), expected(size);
    IntegerProduct p = problem(w, rows);
    p.zero_point = zero_point;
    p.integers = one.data();
    multiply_with(1, p);
    p.integers = three.data();
    multiply_with(3, p);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        std::int64_t sum = 0;
        for (std::int64_t s = 0; s < k; ++s) {
          sum += (a_[static_cast<std::size_t>(i * k + s)] - zero_point) *
                 b_[static_cast<std::size_t>(s * n + j)];
        }
        expected[static_cast<std::size_t>(i * n + j)] = static_cast<std::int32_t>(sum);
      }
    }
    EXPECT_EQ(one, expected) << rows << "x" << k << "x" << n;
    EXPECT_EQ(three, expected) << rows << "x" << k << "x" << n;
  }

  std::vector<std::uint8_t> a_;
  std::vector<std::int8_t> b_;
};

INSTANTIATE_TEST_SUITE_P(, IntegerProducts, testing::ValuesIn(test::available_levels()),
                         test::level_name);

TEST_P(IntegerProducts, AreExactForRandomCodes) {
  for (const std::int64_t rows : {0, 1, 7, 8, 17, 33, 100}) {
    for (const std::int64_t n : {1, 16, 33, 96}) {
      for (const std::int64_t k : {0, 1, 3, 64, 130}) {
        a_ = random_integers<std::uint8_t>(rows * k, 0, 255);
        b_ = random_integers<std::int8_t>(k * n, -128, 127);
        check(rows, k, n, 131);
      }
    }
  }
}

TEST_P(IntegerProducts, AreExactForTheLargestSums) {
  const std::int64_t rows = 33, k = 384, n = 48;
  for (const int code : {127, -128}) {
    a_.assign(rows * k, 255);
    b_.assign(k * n, static_cast<std::int8_t>(code));
    check(rows, k, n, 0);
    check(rows, k, n, 255);
  }
  a_.assign(kMaxIntegerDepth, 255);
  b_.assign(kMaxIntegerDepth, -128);
  check(1, kMaxIntegerDepth, 1, 0);
}

TEST_P(IntegerProducts, ScaleAndActivateAsTheSeparateOperatorsDo) {
  const std::int64_t rows = 21, k = 67, n = 45;
  a_ = random_integers<std::uint8_t>(rows * k, 0, 255);
  b_ = random_integers<std::int8_t>(k * n, -128, 127);
  const PackedIntegers w(functions(), b_, {n, 1}, k, n);
  const auto scales = random(n, 0.001F, 0.01F);
  const auto bias = random(n);
  const auto residual = random(rows * n);
  std::vector<std::int32_t> integers(static_cast<std::size_t>(rows * n));
  std::vector<float> y(integers.size());
  IntegerProduct p = problem(w, rows);
  p.zero_point = 100;
  p.integers = integers.data();
  multiply_with(2, p);
  p.integers = nullptr;
  p.c = y.data();
  p.a_scale = 0.02F;
  p.b_scales = scales.data();
  p.bias = bias.data();
  p.residual = residual.data();
  p.activation = Activation::relu;
  multiply_with(2, p);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t j = i % static_cast<std::size_t>(n);
    const float before = static_cast<float>(integers[i]) * (0.02F * scales[j]) + bias[j];
    EXPECT_EQ(y[i], std::max(before, 0.0F) + residual[i]) << i;
  }
}

}  // namespace
}  // namespace onnxpress::exec::fast
