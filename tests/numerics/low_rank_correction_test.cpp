// SPDX-License-Identifier: Apache-2.0
#include "numerics/low_rank_correction.h"

#include <gtest/gtest.h>

#include "correlated.h"
#include "numerics/gptq.h"

namespace onnxpress {
namespace {

using test::activations;
using test::gaussian;
using test::gram_of;

constexpr Grid kGrid{4, 32, false};

struct Layer {
  explicit Layer(std::int64_t in, std::int64_t out, int threads = 2)
      : pool(threads),
        w(gaussian(in, out, 1, 0.05F)),
        gram(gram_of(activations(6 * in, in, 2))),
        factor(factor_for_gptq(gram, {}, pool)) {}

  QuantizedMatrix quantize(const Matrix& weights) {
    return quantize_gptq(weights, factor, kGrid, {}, pool).q;
  }
  CorrectedCodes correct(std::int64_t rank, FactorType type, int rounds, bool centred = false) {
    return alternate_correction(
        w, quantize(w), gram, {rank, type, centred}, rounds,
        [&](const Matrix& rest) { return quantize(rest); }, pool);
  }
  double energy(const CorrectedCodes& found, bool centred) {
    Matrix error = w;
    const Matrix q = dequantized_matrix(found.q);
    const Matrix branch = product(found.correction.a(), found.correction.b(), pool);
    for (std::size_t i = 0; i < error.values.size(); ++i) {
      error.values[i] -= q.values[i] + branch.values[i];
    }
    return energy_of(error, moments_of(gram, centred, 0.01), pool);
  }

  ThreadPool pool;
  Matrix w;
  Gram gram;
  GptqFactor factor;
};

TEST(AlternateCorrection, NoRoundIsWorseOnTheRowsItWasSolvedOn) {
  for (const auto& [in, out] : {std::pair{64, 96}, std::pair{96, 64}, std::pair{128, 128}}) {
    for (const FactorType type : {FactorType::int8, FactorType::float16, FactorType::float32}) {
      for (const bool centred : {false, true}) {
        Layer layer(in, out);
        const CorrectedCodes found = layer.correct(8, type, 4, centred);
        ASSERT_GE(found.energy.size(), 2U);
        for (std::size_t i = 1; i < found.energy.size(); ++i) {
          EXPECT_LE(found.energy[i], found.energy[i - 1]) << in << " x " << out;
        }
        const double last = found.energy.back();
        EXPECT_NEAR(layer.energy(found, centred), last, 1e-5 * last);  // it is that of the result
      }
    }
  }
}

TEST(AlternateCorrection, BringsMoreThanOneForCodesThatStay) {
  Layer layer(128, 128);
  const CorrectedCodes found = layer.correct(8, FactorType::int8, 2);
  EXPECT_LE(found.energy.back(), 0.97 * found.energy.front());
}

TEST(AlternateCorrection, WithoutRoundsKeepsTheCodes) {
  Layer layer(64, 48);
  const CorrectedCodes found = layer.correct(8, FactorType::int8, 0);
  EXPECT_EQ(found.q, layer.quantize(layer.w));
  EXPECT_EQ(found.energy.size(), 1U);
}

TEST(AlternateCorrection, HasNoRankWhereNothingIsKnown) {
  Layer layer(64, 48);
  layer.gram = Gram(64);
  const CorrectedCodes found = layer.correct(8, FactorType::int8, 2);
  EXPECT_EQ(found.correction.rank(), 0);
  EXPECT_EQ(found.q, layer.quantize(layer.w));
}

TEST(AlternateCorrection, GivesTheSameForAnyNumberOfThreads) {
  Layer one(96, 80, 1);
  const CorrectedCodes expected = one.correct(8, FactorType::int8, 2);
  for (const int threads : {2, 8}) {
    Layer other(96, 80, threads);
    const CorrectedCodes found = other.correct(8, FactorType::int8, 2);
    EXPECT_EQ(found.q, expected.q);
    EXPECT_EQ(found.correction.a_codes, expected.correction.a_codes);
    EXPECT_EQ(found.correction.b_codes, expected.correction.b_codes);
    EXPECT_EQ(found.energy, expected.energy);
  }
}

}  // namespace
}  // namespace onnxpress
