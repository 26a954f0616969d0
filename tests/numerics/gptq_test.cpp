// SPDX-License-Identifier: Apache-2.0
#include "numerics/gptq.h"

#include <gtest/gtest.h>

#include "correlated.h"
#include "numerics/output_error.h"
#include "numerics/quantize_rtn.h"
#include "onnxpress/error.h"

namespace onnxpress {
namespace {

using test::activations;
using test::gaussian;
using test::gram_of;

constexpr Grid kGrids[] = {
    {4, 32, true}, {4, 32, false}, {4, 128, true}, {3, 0, false}, {8, 0, true}};

Gram identity(std::int64_t k) {
  Gram gram(k);
  gram.rows = 1;
  for (std::int64_t j = 0; j < k; ++j) gram.xx[static_cast<std::size_t>(j * k + j)] = 1;
  return gram;
}

// Σ over outputs of eᵀ·h·e, the plain way.
double trace(const Matrix& w, const Matrix& q, const std::vector<float>& h) {
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

TEST(Gptq, EqualsRoundToNearestOnTheSameGridsWhereInputsAreUncorrelated) {
  ThreadPool pool(2);
  const Matrix w = gaussian(96, 70, 1);
  for (const Grid& grid : kGrids) {
    for (const int clip : {0, 20}) {
      const GptqOptions options{.clip_steps = clip, .refine_sweeps = 0};
      const auto factor = factor_for_gptq(identity(96), options, pool);
      const QuantizedMatrix q = quantize_gptq(w, factor, grid, options, pool).q;
      EXPECT_EQ(q, quantize_clipped(w, {}, grid, clip, pool)) << to_string(grid);
      if (clip > 0) continue;
      EXPECT_EQ(q, quantize_rtn(weight_ref(w), grid, pool)) << to_string(grid);
    }
  }
}

TEST(Gptq, LosesFarLessThanRoundToNearestOnHeldOutRows) {
  ThreadPool pool(2);
  const Matrix w = gaussian(256, 128, 2, 0.05F);
  const Gram seen = gram_of(activations(4000, 256, 3));
  const Gram held_out = gram_of(activations(1000, 256, 4));
  for (const Grid& grid : kGrids) {
    const GptqOptions options;
    const auto factor = factor_for_gptq(seen, options, pool);
    const Matrix q = dequantized_matrix(quantize_gptq(w, factor, grid, options, pool).q);
    const Matrix rtn = dequantized_matrix(quantize_rtn(weight_ref(w), grid, pool));
    EXPECT_LE(output_error(w, q, held_out, pool), 0.65 * output_error(w, rtn, held_out, pool))
        << to_string(grid);
  }
}

TEST(Gptq, CountsTheLossThatItMakes) {
  ThreadPool pool(2);
  const Matrix w = gaussian(128, 40, 5, 0.05F);
  for (const bool ordered : {false, true}) {
    const GptqOptions options{.activation_order = ordered, .refine_sweeps = 0};
    const auto factor = factor_for_gptq(gram_of(activations(900, 128, 6)), options, pool);
    const GptqResult result = quantize_gptq(w, factor, {4, 32, false}, options, pool);
    const double expected = trace(w, dequantized_matrix(result.q), factor.gram);
    EXPECT_NEAR(result.loss / expected, 1, 1e-3);
  }
}

TEST(Gptq, RefinementNeverMakesTheLossLarger) {
  ThreadPool pool(2);
  const Matrix w = gaussian(192, 64, 7, 0.05F);
  for (const Grid& grid : kGrids) {
    double last = 0;
    for (const int sweeps : {0, 1, 2, 4}) {
      const GptqOptions options{.refine_sweeps = sweeps};
      const auto factor = factor_for_gptq(gram_of(activations(1000, 192, 8)), options, pool);
      const Matrix q = dequantized_matrix(quantize_gptq(w, factor, grid, options, pool).q);
      const double loss = trace(w, q, factor.gram);
      if (sweeps > 0) {
        EXPECT_LE(loss, last * (1 + 1e-5)) << to_string(grid) << ", sweeps " << sweeps;
      }
      last = loss;
    }
  }
}

TEST(Gptq, GivesTheSameForAnyNumberOfThreads) {
  const Matrix w = gaussian(320, 200, 9);
  const Gram gram = gram_of(activations(500, 320, 10));
  const auto quantized = [&](int threads) {
    ThreadPool pool(threads);
    return quantize_gptq(w, factor_for_gptq(gram, {}, pool), {4, 32, false}, {}, pool).q;
  };
  const QuantizedMatrix expected = quantized(1);
  for (const int threads : {2, 8}) EXPECT_EQ(quantized(threads), expected);
}

TEST(Gptq, IsIndifferentToTheOrderOfInputsWhereGroupsAreSingle) {
  // Permuting the inputs permutes the codes, up to ties in the order.
  ThreadPool pool(2);
  const Matrix x = activations(600, 64, 11);
  const Matrix w = gaussian(64, 32, 12);
  Matrix turned_x(x.rows, x.columns);
  Matrix turned_w(w.rows, w.columns);
  for (std::int64_t j = 0; j < 64; ++j) {
    const std::int64_t from = j * 29 % 64;
    for (std::int64_t r = 0; r < x.rows; ++r) turned_x(r, j) = x(r, from);
    for (std::int64_t o = 0; o < 32; ++o) turned_w(j, o) = w(from, o);
  }
  const GptqOptions options{.refine_sweeps = 0};
  const Grid grid{4, 0, false};
  const GptqResult a =
      quantize_gptq(w, factor_for_gptq(gram_of(x), options, pool), grid, options, pool);
  const GptqResult b = quantize_gptq(turned_w, factor_for_gptq(gram_of(turned_x), options, pool),
                                     grid, options, pool);
  EXPECT_NEAR(a.loss / b.loss, 1, 1e-2);
}

TEST(Gptq, StaysFiniteOnOddInputs) {
  ThreadPool pool(2);
  Matrix x = activations(40, 96, 13);  // fewer rows than channels: a singular Gram
  for (std::int64_t r = 0; r < x.rows; ++r) {
    x(r, 3) = 0;      // never seen
    x(r, 4) = 5;      // constant
    x(r, 5) = 1e15F;  // far larger than all others
    x(r, 6) = x(r, 7);
  }
  Matrix w = gaussian(96, 65, 14);
  for (std::int64_t i = 0; i < 96; ++i) w(i, 1) = 0;
  w(9, 2) = 1e30F;
  for (std::int64_t i = 0; i < 96; ++i) w(i, 3) = 1e-42F;
  for (const Gram& gram : {gram_of(x), Gram(96), identity(96)}) {
    for (const Grid& grid : kGrids) {
      const auto factor = factor_for_gptq(gram, {}, pool);
      const Matrix q = dequantized_matrix(quantize_gptq(w, factor, grid, {}, pool).q);
      for (std::int64_t i = 0; i < 96; ++i) {
        EXPECT_EQ(q(i, 1), 0);
        for (std::int64_t o = 0; o < 65; ++o) ASSERT_TRUE(std::isfinite(q(i, o)));
      }
    }
  }
  w(0, 0) = NAN;
  EXPECT_THROW(
      (void)quantize_gptq(w, factor_for_gptq(gram_of(x), {}, pool), {4, 32, true}, {}, pool),
      Error);
}

TEST(ClippedRounding, IsNeverWorseThanTheFullRangeInItsOwnMeasure) {
  ThreadPool pool(2);
  const Matrix w = gaussian(100, 66, 15);  // groups of 32: the last has 4
  std::vector<float> energy(100);
  for (std::size_t j = 0; j < energy.size(); ++j) energy[j] = 0.1F + static_cast<float>(j % 7);
  for (const Grid& grid : kGrids) {
    const auto error = [&](const QuantizedMatrix& q) {
      const Matrix values = dequantized_matrix(q);
      double sum = 0;
      for (std::int64_t i = 0; i < w.rows; ++i) {
        for (std::int64_t o = 0; o < w.columns; ++o) {
          const double difference = static_cast<double>(w(i, o)) - values(i, o);
          sum += energy[static_cast<std::size_t>(i)] * difference * difference;
        }
      }
      return sum;
    };
    const double full = error(quantize_rtn(weight_ref(w), grid, pool));
    const double clipped = error(quantize_clipped(w, energy, grid, 40, pool));
    EXPECT_LE(clipped, full * (1 + 1e-6)) << to_string(grid);
    if (grid.bits < 8) {
      EXPECT_LT(clipped, 0.97 * full) << to_string(grid);
    }
  }
}

}  // namespace
}  // namespace onnxpress
