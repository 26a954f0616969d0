// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "exec/fast/packed_weights.h"
#include "exec/fast/products.h"
#include "levels.h"

namespace onnxpress::exec::fast {
namespace {

class FloatProducts : public test::EveryLevel {
 protected:
  struct Case {
    std::int64_t rows, k, n;
    bool bias = true, residual = true;
    Activation activation = Activation::none;
    bool transposed = false;
  };

  std::vector<float> run(const Case& c, int threads) {
    ThreadPool pool(threads);
    const MatrixStrides strides = c.transposed ? MatrixStrides{1, c.k} : MatrixStrides{c.n, 1};
    const PackedFloats packed(functions(), b_, strides, c.k, c.n);
    std::vector<float> y(static_cast<std::size_t>(c.rows * c.n + 1), 12345.0F);
    FloatProduct p;
    p.a = a_.data();
    p.a_stride = p.k = c.k;
    p.b = packed.data();
    p.bias = c.bias ? bias_.data() : nullptr;
    p.residual = c.residual ? residual_.data() : nullptr;
    p.c = y.data();
    p.c_stride = p.residual_stride = p.n = c.n;
    p.rows = c.rows;
    p.activation = c.activation;
    multiply(functions(), pool, p);
    EXPECT_EQ(y.back(), 12345.0F) << "wrote behind the end";
    y.pop_back();
    return y;
  }

  void check(const Case& c) {
    a_ = random(c.rows * c.k);
    b_ = random(c.k * c.n);
    bias_ = random(c.n);
    residual_ = random(c.rows * c.n);
    const auto one = run(c, 1);
    for (std::int64_t i = 0; i < c.rows; ++i) {
      for (std::int64_t j = 0; j < c.n; ++j) {
        double expected = 0;
        for (std::int64_t s = 0; s < c.k; ++s) {
          const auto at = static_cast<std::size_t>(c.transposed ? j * c.k + s : s * c.n + j);
          expected += static_cast<double>(a_[static_cast<std::size_t>(i * c.k + s)]) * b_[at];
        }
        if (c.bias) expected += bias_[static_cast<std::size_t>(j)];
        if (c.activation == Activation::gelu) {
          expected = expected / 2 * (1 + std::erf(expected / std::sqrt(2.0)));
        }
        if (c.residual) expected += residual_[static_cast<std::size_t>(i * c.n + j)];
        ASSERT_NEAR(one[static_cast<std::size_t>(i * c.n + j)], expected,
                    2.5e-6 * std::sqrt(static_cast<double>(c.k) + 1))
            << c.rows << "x" << c.k << "x" << c.n << " at " << i << ", " << j;
      }
    }
    EXPECT_EQ(one, run(c, 3)) << "depends on the number of threads";
  }

  std::vector<float> a_, b_, bias_, residual_;
};

INSTANTIATE_TEST_SUITE_P(, FloatProducts, testing::ValuesIn(test::available_levels()),
                         test::level_name);

TEST_P(FloatProducts, EqualTheSumsOfProducts) {
  for (const std::int64_t rows : {0, 1, 5, 12, 13, 97}) {
    for (const std::int64_t n : {0, 1, 16, 31, 33, 70}) {
      for (const std::int64_t k : {0, 1, 7, 64}) check({.rows = rows, .k = k, .n = n});
    }
  }
}

TEST_P(FloatProducts, OfBigMatricesToo) {
  check({.rows = 230, .k = 384, .n = 400, .activation = Activation::gelu});
  check({.rows = 2, .k = 1537, .n = 333, .bias = false, .residual = false});
}

TEST_P(FloatProducts, TakeTransposedWeights) {
  check({.rows = 9, .k = 21, .n = 45, .transposed = true});
}

}  // namespace
}  // namespace onnxpress::exec::fast
