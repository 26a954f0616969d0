// SPDX-License-Identifier: Apache-2.0
// Grams that have no inverse, or are none: what calibration on few, repeated or broken rows gives.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "correlated.h"
#include "numerics/gptq.h"
#include "numerics/output_error.h"
#include "numerics/quantize_rtn.h"
#include "numerics/ridge_refit.h"

namespace onnxpress {
namespace {

using test::activations;
using test::gaussian;
using test::gram_of;

constexpr std::int64_t kSize = 64;
constexpr Grid kGrid{4, 32, false};

struct Odd {
  std::string name;
  Gram gram;
};

Gram spoilt(const std::function<void(Gram&)>& change) {
  Gram gram = gram_of(activations(200, kSize, 1));
  change(gram);
  return gram;
}

std::vector<Odd> singular() {
  const auto rows = [](std::int64_t count, const std::function<void(Matrix&)>& change) {
    Matrix x = activations(count, kSize, 2);
    change(x);
    return gram_of(x);
  };
  const auto each_row = [](const std::function<void(float*)>& change) {
    return [=](Matrix& x) {
      for (std::int64_t r = 0; r < x.rows; ++r) change(x.row(r));
    };
  };
  return {
      {"no rows", Gram(kSize)},
      {"one row", rows(1, [](Matrix&) {})},
      {"fewer rows than channels", rows(kSize / 2, [](Matrix&) {})},
      {"one row again and again", rows(200,
                                       [](Matrix& x) {
                                         for (std::int64_t r = 1; r < x.rows; ++r)
                                           std::copy_n(x.row(0), x.columns, x.row(r));
                                       })},
      {"a channel that is never seen", rows(200, each_row([](float* x) { x[5] = 0; }))},
      {"nothing is ever seen", rows(200, each_row([](float* x) { std::fill_n(x, kSize, 0); }))},
      {"two equal channels", rows(200, each_row([](float* x) { x[6] = x[7]; }))},
      {"all channels equal", rows(200, each_row([](float* x) { std::fill_n(x, kSize, x[0]); }))},
      {"a channel of subnormals", rows(200, each_row([](float* x) { x[5] = 1e-42F; }))},
      {"a channel of 1e15", rows(200, each_row([](float* x) { x[5] *= 1e15F; }))}};
}

std::vector<Odd> broken() {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto set = [](std::size_t at, double value) {
    return spoilt([=](Gram& gram) { gram.xx[at] = value; });
  };
  return {{"NaN on the diagonal", set(0, kNan)},
          {"infinity on the diagonal", set(0, kInfinity)},
          {"NaN beside it", set(1, kNan)},
          {"a negative energy", set(0, -1e6)},
          {"correlations above one", set(1, 1e9)}};
}

QuantizedMatrix solve(const Matrix& w, const Gram& gram, const GptqOptions& options) {
  ThreadPool pool(2);
  return quantize_gptq(w, factor_for_gptq(gram, options, pool), kGrid, options, pool).q;
}

void expect_finite(const std::vector<float>& values) {
  for (const float value : values) ASSERT_TRUE(std::isfinite(value));
}

TEST(SingularGram, IsFactoredWithWhatDampingItNeeds) {
  ThreadPool pool(2);
  for (const double damping : {0.0, 0.01, 1.0}) {
    for (const Odd& odd : singular()) {
      SCOPED_TRACE(odd.name);
      const GptqFactor factor = factor_for_gptq(odd.gram, {.damping = damping}, pool);
      EXPECT_GE(factor.damping, damping);
      expect_finite(factor.upper);
      for (std::int64_t j = 0; j < kSize; ++j) {
        ASSERT_GT(factor.upper[static_cast<std::size_t>(j * kSize + j)], 0);
      }
    }
  }
}

TEST(SingularGram, NeverMakesTheErrorLargerThanRoundToNearest) {
  ThreadPool pool(2);
  const Matrix w = gaussian(kSize, 40, 3, 0.05F);
  const Matrix rtn = dequantized_matrix(quantize_rtn(weight_ref(w), kGrid, pool));
  const Gram usual = gram_of(activations(1000, kSize, 4));
  const double usual_rtn = output_error(w, rtn, usual, pool);
  for (const double damping : {0.0, 0.01}) {
    for (const Odd& odd : singular()) {
      SCOPED_TRACE(odd.name);
      const Matrix q = dequantized_matrix(solve(w, odd.gram, {.damping = damping}));
      expect_finite(q.values);
      EXPECT_LE(output_error(w, q, odd.gram, pool),
                output_error(w, rtn, odd.gram, pool) * 1.001 + 1e-6);
      // Nor does it ruin the weights for other rows than those it was shown.
      EXPECT_LE(output_error(w, q, usual, pool), (damping > 0 ? 3 : 10) * usual_rtn);
    }
  }
}

TEST(SingularGram, WithoutAnyEnergyCountsAsTheIdentity) {
  ThreadPool pool(2);
  const Matrix w = gaussian(kSize, 40, 3);
  const GptqOptions options{.clip_steps = 0, .refine_sweeps = 0};
  EXPECT_EQ(solve(w, Gram(kSize), options), quantize_rtn(weight_ref(w), kGrid, pool));
}

TEST(BrokenGram, StillGivesFiniteWeights) {
  const Matrix w = gaussian(kSize, 40, 5);
  for (const Odd& odd : broken()) {
    SCOPED_TRACE(odd.name);
    const QuantizedMatrix q = solve(w, odd.gram, {});
    expect_finite(q.scales);
    expect_finite(dequantize(q));
  }
}

TEST(RidgeRefit, LeavesWeightsFiniteWhateverTheMoments) {
  ThreadPool pool(2);
  const Matrix w = gaussian(kSize, 40, 6);
  std::vector<Odd> all = singular();
  for (Odd& odd : broken()) all.push_back(std::move(odd));
  for (const Odd& odd : all) {
    SCOPED_TRACE(odd.name);
    PairGram moments{odd.gram, odd.gram, CrossGram(kSize)};
    moments.cross.xy = odd.gram.xx;
    moments.cross.rows = odd.gram.rows;
    for (const bool centred : {false, true}) {
      for (const double strength : {0.0, 0.1}) {
        const Matrix refitted = RidgeRefit(moments, strength, centred, pool).refit(w, pool);
        expect_finite(refitted.values);
      }
    }
  }
}

TEST(RidgeRefit, OfTheOriginalsOwnInputsIsTheWeightItself) {
  ThreadPool pool(2);
  const Matrix w = gaussian(kSize, 40, 6);
  const Matrix x = activations(400, kSize, 7);
  const Matrix refitted = RidgeRefit(test::pair_of(x, x), 0.1, false, pool).refit(w, pool);
  EXPECT_LT(test::relative_distance(w, refitted), 1e-5);
}

// Takes each column's mean away.
void center(Matrix& m) {
  for (std::int64_t j = 0; j < m.columns; ++j) {
    double sum = 0;
    for (std::int64_t i = 0; i < m.rows; ++i) sum += m(i, j);
    const auto mean = static_cast<float>(sum / static_cast<double>(m.rows));
    for (std::int64_t i = 0; i < m.rows; ++i) m(i, j) -= mean;
  }
}

TEST(RidgeRefit, NeverMakesTheErrorOfDriftedInputsLarger) {
  ThreadPool pool(2);
  const Matrix w = gaussian(kSize, 40, 8);
  const Matrix x = activations(400, kSize, 9);
  for (const float drift : {0.0F, 0.05F, 0.3F, 2.0F}) {
    Matrix edited = x;
    const Matrix noise = gaussian(x.rows, x.columns, 10, drift);
    for (std::size_t i = 0; i < edited.values.size(); ++i) edited.values[i] += noise.values[i];
    const PairGram moments = test::pair_of(edited, x);
    for (const double strength : {1e-3, 0.1, 10.0}) {
      const auto error = [&](const Matrix& weights, bool centred) {
        Matrix wanted = product(x, w, pool);
        Matrix got = product(edited, weights, pool);
        if (centred) {
          center(wanted);
          center(got);
        }
        return test::relative_distance(wanted, got);
      };
      for (const bool centred : {false, true}) {
        const double before = error(w, centred);
        const double after =
            error(RidgeRefit(moments, strength, centred, pool).refit(w, pool), centred);
        EXPECT_LE(after, before * (1 + 1e-4) + 1e-5) << drift << ", " << strength;
        if (drift >= 0.3F && strength <= 0.1) {
          EXPECT_LT(after, 0.97 * before) << drift;
        }
      }
    }
  }
}

}  // namespace
}  // namespace onnxpress
