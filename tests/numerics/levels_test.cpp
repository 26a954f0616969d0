// SPDX-License-Identifier: Apache-2.0
// The instruction sets against each other. Where no data are used results are the same to the bit;
// otherwise they differ by rounding, as sums in another order do.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "correlated.h"
#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

using dense::kPanel;
using dense::Level;
using test::activations;
using test::gaussian;

constexpr std::int64_t kRows = 96;

std::vector<const Level*> levels() {
  std::vector<const Level*> found{&dense::baseline_level()};
  for (const InstructionSet limit : {InstructionSet::avx2, InstructionSet::avx512}) {
    const Level& level = dense::level(limit);
    if (&level != found.back()) found.push_back(&level);
  }
  return found;
}

struct Codes {
  std::vector<float> scales, zeros;
  std::vector<std::uint8_t> codes;
  friend bool operator==(const Codes&, const Codes&) = default;
};

// Searched grids and nearest codes of a panel, starting from the full range.
Codes searched(const Level& level, bool symmetric, const float* energy) {
  const Matrix w = gaussian(kRows, kPanel, 1);
  Codes result;
  const std::int64_t groups = kRows / 32;
  result.scales.assign(static_cast<std::size_t>(groups * kPanel), symmetric ? 0.4F : 0.2F);
  result.zeros.assign(result.scales.size(), symmetric ? 8.0F : 7.0F);
  result.codes.resize(w.values.size());
  const dense::PanelGrid grid{
      result.scales.data(), result.zeros.data(), 32, 0, 15, symmetric, symmetric};
  level.search_grid(w.values.data(), energy, kRows, 40, grid);
  level.round(w.values.data(), kRows, grid, result.codes.data());
  return result;
}

TEST(Levels, WithoutDataGridsAndCodesAreTheSameToTheBit) {
  for (const bool symmetric : {true, false}) {
    const Codes expected = searched(dense::baseline_level(), symmetric, nullptr);
    for (const Level* level : levels()) {
      EXPECT_EQ(searched(*level, symmetric, nullptr), expected);
    }
  }
}

TEST(Levels, RoundWeightsAtAnyAddressToTheSameBits) {
  const Matrix w = gaussian(1, 203, 10);
  const auto count = static_cast<std::int64_t>(w.values.size());
  std::vector<std::byte> odd(w.values.size() * sizeof(float) + 1);
  std::memcpy(odd.data() + 1, w.values.data(), odd.size() - 1);
  const WeightRef ref{odd.data() + 1, FloatType::float32, 1, count, MatrixLayout::in_out};
  const UnalignedFloat* x = floats_at(ref, 0, count, nullptr);
  std::vector<float> scales(w.values.size());
  std::vector<std::int32_t> zeros(scales.size());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    scales[i] = 0.01F * static_cast<float>(i + 1);
    zeros[i] = static_cast<std::int32_t>(i % 16);
  }
  for (const Level* level : levels()) {
    std::vector<std::uint8_t> codes(scales.size());
    std::vector<std::uint8_t> alike(scales.size());
    std::vector<std::int32_t> bits(scales.size());
    std::vector<float> low(scales.size()), high(scales.size());
    std::vector<double> largest(scales.size(), 0.5), rest(scales.size());
    level->round_columns(x, count, scales.data(), zeros.data(), 15, codes.data());
    level->round_block(x, count, scales[9], zeros[9], 15, alike.data());
    level->widen_ranges(x, count, bits.data(), low.data(), high.data());
    level->add_energies(x, count, largest.data(), rest.data());
    for (std::size_t i = 0; i < scales.size(); ++i) {
      const float value = w.values[i];
      const auto size = static_cast<double>(std::fabs(value));
      const auto code = [&](std::size_t at) {
        return std::clamp(static_cast<int>(std::nearbyint(value / scales[at])) + zeros[at], 0, 15);
      };
      ASSERT_EQ(codes[i], code(i));
      ASSERT_EQ(alike[i], code(9));
      ASSERT_EQ(std::bit_cast<float>(bits[i]), std::fabs(value));
      ASSERT_EQ(low[i], std::min(value, 0.0F));
      ASSERT_EQ(high[i], std::max(value, 0.0F));
      ASSERT_EQ(largest[i], std::max(size, 0.5));
      ASSERT_EQ(rest[i], std::pow(std::min(size, 0.5), 2));
    }
  }
}

TEST(Levels, FactorsDifferByRoundingOnly) {
  ThreadPool pool(2);
  const Gram gram = test::gram_of(activations(400, kRows, 2));
  std::vector<std::vector<float>> factors;
  for (const Level* level : levels()) {
    std::vector<double> h = gram.xx;
    for (std::int64_t j = 0; j < kRows; ++j) h[static_cast<std::size_t>(j * kRows + j)] *= 1.01;
    std::vector<float> upper(h.size());
    ASSERT_TRUE(level->inverse_factor(h.data(), kRows, upper.data(), pool));
    factors.push_back(upper);
    double error = 0;
    double size = 0;
    for (std::size_t i = 0; i < upper.size(); ++i) {
      const double difference = static_cast<double>(upper[i]) - factors.front()[i];
      error += difference * difference;
      size += static_cast<double>(upper[i]) * upper[i];
    }
    EXPECT_LE(error, 1e-10 * size);
  }
}

TEST(Levels, ProductsDifferByRoundingOnly) {
  const Matrix a = gaussian(70, kRows, 3);
  const Matrix b = gaussian(kRows, 33, 4);
  std::vector<float> expected(static_cast<std::size_t>(a.rows * b.columns));
  dense::baseline_level().multiply(a.values.data(), b.values.data(), expected.data(), a.rows,
                                   a.columns, b.columns);
  for (const Level* level : levels()) {
    std::vector<float> c(expected.size());
    level->multiply(a.values.data(), b.values.data(), c.data(), a.rows, a.columns, b.columns);
    for (std::size_t i = 0; i < c.size(); ++i) ASSERT_NEAR(c[i], expected[i], 1e-4);
  }
}

TEST(Levels, FactorsSolveWhatTheyAreFactorsOf) {
  constexpr std::int64_t kSize = 333;  // several blocks, the last one ragged
  constexpr std::int64_t kOutputs = 70;
  ThreadPool pool(2);
  Gram gram = test::gram_of(activations(600, kSize, 5));
  for (std::int64_t j = 0; j < kSize; ++j) gram.xx[static_cast<std::size_t>(j * kSize + j)] += 1;
  const Matrix x = gaussian(kSize, kOutputs, 6);
  std::vector<double> b(x.values.size());
  for (std::int64_t i = 0; i < kSize; ++i) {
    for (std::int64_t o = 0; o < kOutputs; ++o) {
      double sum = 0;
      for (std::int64_t j = 0; j < kSize; ++j) sum += gram.at(i, j) * static_cast<double>(x(j, o));
      b[static_cast<std::size_t>(i * kOutputs + o)] = sum;
    }
  }
  for (const Level* level : levels()) {
    std::vector<double> h = gram.xx;
    std::vector<double> solved = b;
    ASSERT_TRUE(level->cholesky(h.data(), kSize, pool));
    level->solve_factored(h.data(), kSize, solved.data(), kOutputs, pool);
    for (std::size_t i = 0; i < solved.size(); ++i) ASSERT_NEAR(solved[i], x.values[i], 1e-6);
  }
}

TEST(Levels, RefuseToFactorWhatIsNotPositiveDefinite) {
  ThreadPool pool(2);
  for (const Level* level : levels()) {
    std::vector<double> h(kRows * kRows);
    for (std::int64_t j = 0; j < kRows; ++j) h[static_cast<std::size_t>(j * kRows + j)] = 1;
    h.back() = -1;
    EXPECT_FALSE(level->cholesky(h.data(), kRows, pool));
  }
}

TEST(Levels, RoundInputsToTheSameCodes) {
  const Matrix x = gaussian(37, kRows, 7);
  std::vector<float> scale(kRows);
  std::vector<float> zero(kRows);
  for (std::size_t j = 0; j < scale.size(); ++j) {
    scale[j] = 0.001F * static_cast<float>(j + 1);
    zero[j] = static_cast<float>(j % 256);
  }
  constexpr float kStep = 0.03F;
  for (const Level* level : levels()) {
    std::vector<float> rounded(x.values.size());
    level->round_inputs(x.values.data(), scale.data(), zero.data(), kStep, x.rows, kRows,
                        rounded.data());
    for (std::size_t i = 0; i < rounded.size(); ++i) {
      const std::size_t j = i % scale.size();
      const float code =
          std::clamp(std::nearbyint(x.values[i] / scale[j]) + zero[j], 0.0F, 255.0F) - zero[j];
      ASSERT_EQ(rounded[i], code * kStep) << i;
    }
  }
}

TEST(Levels, DistancesDifferByRoundingOnly) {
  const Matrix a = gaussian(97, kRows, 8);
  const Matrix b = gaussian(97, kRows, 9);
  double expected = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double d = static_cast<double>(a.values[i]) - static_cast<double>(b.values[i]);
    expected += d * d;
  }
  for (const Level* level : levels()) {
    const double distance = level->squared_distance(a.values.data(), b.values.data(),
                                                    static_cast<std::int64_t>(a.values.size()));
    EXPECT_NEAR(distance, expected, 1e-5 * expected);
  }
}

}  // namespace
}  // namespace onnxpress
