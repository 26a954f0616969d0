// SPDX-License-Identifier: Apache-2.0
#include "numerics/low_rank.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "correlated.h"
#include "numerics/output_error.h"

namespace onnxpress {
namespace {

using test::activations;
using test::gaussian;
using test::gram_of;
using test::relative_distance;

struct Size {
  std::int64_t in, out;
};
constexpr Size kSizes[] = {{48, 48}, {64, 24}, {24, 64}, {1, 5}, {5, 1}};

// mean ‖x(W - AB)‖² with the moments of x, the plain way.
double energy_of_error(const Matrix& w, const LowRankFactors& factors, const std::vector<double>& h,
                       ThreadPool& pool) {
  const Matrix q = product(factors.a, factors.b, pool);
  double sum = 0;
  for (std::int64_t o = 0; o < w.columns; ++o) {
    for (std::int64_t i = 0; i < w.rows; ++i) {
      for (std::int64_t j = 0; j < w.rows; ++j) {
        sum += (static_cast<double>(w(i, o)) - q(i, o)) *
               h[static_cast<std::size_t>(i * w.rows + j)] *
               (static_cast<double>(w(j, o)) - q(j, o));
      }
    }
  }
  return sum;
}

TEST(LowRank, IsExactWithAllDirections) {
  ThreadPool pool(2);
  for (const auto& [in, out] : kSizes) {
    const Matrix w = gaussian(in, out, 1);
    const auto h = moments_of(gram_of(activations(300, in, 2)), true, 0);
    for (const auto& moments : {std::vector<double>(), h}) {
      const LowRankFactors factors = factor_low_rank(w, moments, in + out, pool);
      EXPECT_EQ(factors.rank(), std::min(in, out));
      EXPECT_LE(relative_distance(w, product(factors.a, factors.b, pool)), 2e-6)
          << in << " x " << out;
    }
  }
}

TEST(LowRank, IsExactWithAllDirectionsWhereInputsAreSingular) {
  ThreadPool pool(2);
  for (const auto& [in, out] : kSizes) {
    const Matrix w = gaussian(in, out, 3);
    Matrix x = activations(4, in, 4);  // fewer rows than channels, and one channel always zero
    for (std::int64_t r = 0; r < x.rows; ++r) x(r, 0) = 0;
    const auto h = moments_of(gram_of(x), false, 0);
    const LowRankFactors factors = factor_low_rank(w, h, in + out, pool);
    EXPECT_LE(relative_distance(w, product(factors.a, factors.b, pool)), 2e-6)
        << in << " x " << out;
  }
}

TEST(LowRank, LosesTheTailOfTheEigenvalues) {
  ThreadPool pool(2);
  for (const auto& [in, out] : kSizes) {
    const Matrix w = gaussian(in, out, 5);
    const auto h = moments_of(gram_of(activations(500, in, 6)), true, 0);
    const LowRankFactors all = factor_low_rank(w, h, in + out, pool);
    const double total = std::accumulate(all.energy.begin(), all.energy.end(), 0.0);
    const auto again = energies_on(all, h, pool);
    for (std::int64_t rank = 0; rank <= all.rank(); rank += 3) {
      const double tail = std::accumulate(all.energy.begin() + rank, all.energy.end(), 0.0);
      EXPECT_NEAR(energy_of_error(w, leading(all, rank), h, pool), tail, 1e-5 * total);
      EXPECT_NEAR(std::accumulate(again.begin() + rank, again.end(), 0.0), tail, 1e-5 * total);
    }
  }
}

TEST(LowRank, IsBetterThanAnyFactorsNearBy) {
  ThreadPool pool(2);
  const Matrix w = gaussian(40, 32, 7);
  const auto h = moments_of(gram_of(activations(500, 40, 8)), false, 0);
  const LowRankFactors best = factor_low_rank(w, h, 6, pool);
  const double least = energy_of_error(w, best, h, pool);
  for (const float size : {1e-3F, 1e-2F, 0.1F, 1.0F}) {
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      LowRankFactors other = best;
      const Matrix a = gaussian(40, 6, 100 + seed, size);
      const Matrix b = gaussian(6, 32, 200 + seed, size);
      for (std::size_t i = 0; i < a.values.size(); ++i) other.a.values[i] += a.values[i];
      for (std::size_t i = 0; i < b.values.size(); ++i) other.b.values[i] += b.values[i];
      EXPECT_GE(energy_of_error(w, other, h, pool), least * (1 - 1e-6));
    }
  }
}

TEST(LowRank, WithoutMomentsIsTheSingularValueDecomposition) {
  // W = 3·u1·v1ᵀ + 1·u2·v2ᵀ
  ThreadPool pool(1);
  Matrix w(2, 3);
  w(0, 1) = 3;
  w(1, 0) = 1;
  const LowRankFactors factors = factor_low_rank(w, {}, 1, pool);
  ASSERT_EQ(factors.energy.size(), 2U);
  EXPECT_NEAR(factors.energy[0], 9, 1e-12);
  EXPECT_NEAR(factors.energy[1], 1, 1e-12);
  const Matrix q = product(factors.a, factors.b, pool);
  Matrix expected(2, 3);
  expected(0, 1) = 3;
  EXPECT_LE(relative_distance(expected, q), 1e-6);
}

TEST(LowRank, LosesFarLessThanPlainSvdOnHeldOutRows) {
  ThreadPool pool(2);
  const Matrix w = gaussian(128, 96, 9, 0.05F);
  const auto h = moments_of(gram_of(activations(2000, 128, 10)), false, 0.01);
  const Gram held_out = gram_of(activations(600, 128, 11));
  for (const std::int64_t rank : {8, 16, 32}) {
    const auto error = [&](const std::vector<double>& moments) {
      const LowRankFactors factors = factor_low_rank(w, moments, rank, pool);
      return output_error(w, product(factors.a, factors.b, pool), held_out, pool);
    };
    EXPECT_LE(error(h), 0.6 * error({})) << "rank " << rank;
  }
}

TEST(LowRank, GivesTheSameForAnyNumberOfThreads) {
  const Matrix w = gaussian(150, 70, 12);
  const auto h = moments_of(gram_of(activations(400, 150, 13)), true, 0);
  ThreadPool one(1);
  const LowRankFactors expected = factor_low_rank(w, h, 20, one);
  for (const int threads : {2, 8}) {
    ThreadPool pool(threads);
    const LowRankFactors other = factor_low_rank(w, h, 20, pool);
    EXPECT_EQ(other.a, expected.a);
    EXPECT_EQ(other.b, expected.b);
  }
}

TEST(LowRank, CentredMomentsLeaveTheMeanOut) {
  const Matrix x = activations(50, 8, 14);
  Matrix moved = x;
  for (std::int64_t r = 0; r < moved.rows; ++r) {
    for (std::int64_t c = 0; c < moved.columns; ++c) moved(r, c) += 0.5F;
  }
  const auto a = moments_of(gram_of(x), true, 0);
  const auto b = moments_of(gram_of(moved), true, 0);
  const auto damped = moments_of(gram_of(x), true, 0.5);
  double trace = 0;
  for (std::size_t i = 0; i < 8; ++i) trace += a[i * 9];
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4 * trace);
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_NEAR(damped[i * 9], a[i * 9] + trace / 16, 1e-9 * trace);
}

TEST(LowRank, RefusesNumbersThatAreNotFinite) {
  ThreadPool pool(1);
  Gram gram = gram_of(activations(50, 8, 15));
  gram.xx[3] = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(moments_of(gram, false, 0).empty());
  EXPECT_TRUE(moments_of(Gram(8), false, 0).empty());
  Matrix w = gaussian(8, 8, 16);
  w(2, 2) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(factor_low_rank(w, {}, 8, pool).energy.empty());
}

TEST(LowRank, RanksThatSaveBytes) {
  EXPECT_EQ(break_even_rank(768, 768), 384);
  EXPECT_EQ(largest_saving_rank(768, 768, 8, 1e9), 376);  // 384 saves nothing
  EXPECT_EQ(largest_saving_rank(768, 768, 16, 1e9), 368);
  EXPECT_EQ(largest_saving_rank(768, 768, 8, 100), 96);
  EXPECT_EQ(largest_saving_rank(8, 8, 8, 1e9), 0);
  EXPECT_EQ(rank_for_share(std::vector<double>{6, 3, 1}, 0.9), 2);
  EXPECT_EQ(rank_for_share(std::vector<double>{6, 3, 1}, 0.91), 3);
  EXPECT_EQ(rank_for_share(std::vector<double>{0, 0}, 0.9), 0);
}

}  // namespace
}  // namespace onnxpress
