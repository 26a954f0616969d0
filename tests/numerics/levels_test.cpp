// SPDX-License-Identifier: Apache-2.0
// The instruction sets against each other. Where no data are used results are the same to the bit;
// otherwise they differ by rounding, as sums in another order do.
#include <gtest/gtest.h>

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

TEST(Levels, FactorsDifferByRoundingOnly) {
  const Gram gram = test::gram_of(activations(400, kRows, 2));
  std::vector<std::vector<float>> factors;
  for (const Level* level : levels()) {
    std::vector<double> h = gram.xx;
    for (std::int64_t j = 0; j < kRows; ++j) h[static_cast<std::size_t>(j * kRows + j)] *= 1.01;
    std::vector<float> upper(h.size());
    ASSERT_TRUE(level->inverse_factor(h.data(), kRows, upper.data()));
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

}  // namespace
}  // namespace onnxpress
