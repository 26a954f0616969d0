// SPDX-License-Identifier: Apache-2.0
#include "numerics/block_obs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "numerics/correlated.h"
#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kChannels = 24;
constexpr std::int64_t kPerUnit = 4;
constexpr double kDamping = 1e-4;

struct Case {
  Matrix x = test::activations(400, kChannels, 3);
  Matrix w = test::gaussian(kChannels, 10, 5, 0.3F);
  Gram gram = test::gram_of(x);
  ThreadPool pool{2};
  double lambda() const {
    double trace = 0;
    for (std::int64_t i = 0; i < kChannels; ++i) trace += gram.at(i, i);
    return kDamping * trace / kChannels;
  }
  // ‖X(W - V)‖² + λ‖W - V‖²
  double loss(const Matrix& v) const {
    double sum = 0;
    for (std::int64_t j = 0; j < w.columns; ++j) {
      for (std::int64_t i = 0; i < kChannels; ++i) {
        const double a = static_cast<double>(w(i, j)) - v(i, j);
        sum += lambda() * a * a;
        for (std::int64_t k = 0; k < kChannels; ++k) {
          sum += a * gram.at(i, k) * (static_cast<double>(w(k, j)) - v(k, j));
        }
      }
    }
    return sum;
  }
  // The best weights whose rows of removed units are zero: least squares over the others.
  Matrix brute_force(const std::vector<std::int64_t>& removed) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < kChannels; ++i) {
      if (std::ranges::find(removed, i / kPerUnit) == removed.end()) rows.push_back(i);
    }
    const auto n = static_cast<std::int64_t>(rows.size());
    std::vector<double> h(static_cast<std::size_t>(n * n));
    std::vector<double> target(static_cast<std::size_t>(n * w.columns));
    const auto damped = [&](std::int64_t i, std::int64_t k) {
      return gram.at(i, k) + (i == k ? lambda() : 0);
    };
    for (std::int64_t a = 0; a < n; ++a) {
      const std::int64_t i = rows[static_cast<std::size_t>(a)];
      for (std::int64_t b = 0; b < n; ++b) {
        h[static_cast<std::size_t>(a * n + b)] = damped(i, rows[static_cast<std::size_t>(b)]);
      }
      for (std::int64_t j = 0; j < w.columns; ++j) {
        double sum = 0;
        for (std::int64_t k = 0; k < kChannels; ++k) sum += damped(i, k) * w(k, j);
        target[static_cast<std::size_t>(a * w.columns + j)] = sum;
      }
    }
    EXPECT_TRUE(dense::level().cholesky(h.data(), n, pool));
    dense::level().solve_factored(h.data(), n, target.data(), w.columns, pool);
    Matrix best(kChannels, w.columns);
    for (std::int64_t a = 0; a < n; ++a) {
      for (std::int64_t j = 0; j < w.columns; ++j) {
        best(rows[static_cast<std::size_t>(a)], j) =
            static_cast<float>(target[static_cast<std::size_t>(a * w.columns + j)]);
      }
    }
    return best;
  }
};

TEST(BlockObs, CostsAreWhatTheBestCompensationLoses) {
  Case c;
  const BlockObs obs(c.gram, c.w, kPerUnit, {.damping = kDamping}, c.pool);
  ASSERT_TRUE(obs.usable());
  const auto costs = obs.costs(c.pool);
  ASSERT_EQ(costs.size(), static_cast<std::size_t>(kChannels / kPerUnit));
  for (std::int64_t unit = 0; unit < obs.units(); ++unit) {
    const double least = c.loss(c.brute_force({unit}));
    EXPECT_NEAR(costs[static_cast<std::size_t>(unit)], least, 1e-3 * least);
    EXPECT_NEAR(c.loss(obs.without({&unit, 1}, c.pool)), least, 1e-3 * least);
    Matrix zeroed = c.w;
    std::fill_n(zeroed.row(unit * kPerUnit), kPerUnit * zeroed.columns, 0.0F);
    EXPECT_LT(least, 0.9 * c.loss(zeroed));
  }
}

TEST(BlockObs, OneAfterTheOtherIsAsGoodAsAllAtOnce) {
  Case c;
  BlockObs obs(c.gram, c.w, kPerUnit, {.damping = kDamping}, c.pool);
  const std::vector<std::int64_t> all{4, 1, 3};
  const Matrix at_once = obs.without(all, c.pool);
  double costs = 0;
  for (const std::int64_t unit : all) {
    costs += obs.costs(c.pool)[static_cast<std::size_t>(unit)];
    obs.remove({&unit, 1}, c.pool);
    EXPECT_EQ(obs.costs(c.pool)[static_cast<std::size_t>(unit)], 0);
  }
  const double least = c.loss(c.brute_force(all));
  EXPECT_NEAR(costs, least, 1e-3 * least);
  EXPECT_NEAR(c.loss(obs.weights()), least, 1e-3 * least);
  EXPECT_NEAR(c.loss(at_once), least, 1e-3 * least);
  for (const std::int64_t unit : all) {
    for (std::int64_t i = 0; i < kPerUnit; ++i) {
      EXPECT_EQ(obs.weights()(unit * kPerUnit + i, 3), 0);
    }
  }
}

TEST(BlockObs, ABiasKeepsTheMean) {
  Case c;
  for (float& value : c.x.values) value += 1;
  c.gram = test::gram_of(c.x);
  const BlockObs plain(c.gram, c.w, kPerUnit, {.damping = kDamping}, c.pool);
  const BlockObs centred(c.gram, c.w, kPerUnit, {.damping = kDamping, .centred = true}, c.pool);
  for (std::int64_t unit = 0; unit < plain.units(); ++unit) {
    EXPECT_LE(centred.costs(c.pool)[static_cast<std::size_t>(unit)],
              1.001 * plain.costs(c.pool)[static_cast<std::size_t>(unit)]);
  }
  const std::vector<std::int64_t> some{0, 5};
  const Matrix v = centred.without(some, c.pool);
  const auto change = centred.bias_change(v);
  const Matrix before = product(c.x, c.w, c.pool);
  const Matrix after = product(c.x, v, c.pool);
  for (std::int64_t j = 0; j < c.w.columns; ++j) {
    double lost = 0;
    for (std::int64_t r = 0; r < before.rows; ++r) lost += before(r, j) - after(r, j);
    EXPECT_NEAR(lost / 400, change[static_cast<std::size_t>(j)], 1e-3);
  }
}

TEST(BlockObs, IsNotUsableWithoutData) {
  Case c;
  EXPECT_FALSE(BlockObs(Gram(kChannels), c.w, kPerUnit, {}, c.pool).usable());
  Gram zero = c.gram;
  std::ranges::fill(zero.xx, 0);
  EXPECT_FALSE(BlockObs(zero, c.w, kPerUnit, {}, c.pool).usable());
  std::ranges::fill(zero.xx, std::nan(""));
  EXPECT_FALSE(BlockObs(zero, c.w, kPerUnit, {}, c.pool).usable());
}

}  // namespace
}  // namespace onnxpress
