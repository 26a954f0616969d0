// SPDX-License-Identifier: Apache-2.0
#include "numerics/clip_on_output.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "correlated.h"
#include "numerics/output_error.h"
#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

using test::activations;
using test::gaussian;
using test::gram_of;

constexpr Grid kGrids[] = {{4, 32, true}, {4, 32, false}, {3, 0, false}, {2, 16, true}};

std::vector<float> floats(const Gram& gram) {
  std::vector<float> values;
  for (const double x : gram.xx) {
    values.push_back(static_cast<float>(x / static_cast<double>(gram.rows)));
  }
  return values;
}

// (w-q)ᵀH_g(w-q) of each group and output, the plain way.
std::vector<double> energies(const Matrix& w, const QuantizedMatrix& quantized, const Gram& gram) {
  const Matrix q = dequantized_matrix(quantized);
  const std::int64_t group = quantized.grid.group == 0 ? w.rows : quantized.grid.group;
  std::vector<double> sums(quantized.scales.size());
  for (std::int64_t o = 0; o < w.columns; ++o) {
    for (std::int64_t i = 0; i < w.rows; ++i) {
      for (std::int64_t j = i / group * group; j < std::min(w.rows, (i / group + 1) * group); ++j) {
        sums[static_cast<std::size_t>(i / group * w.columns + o)] +=
            static_cast<double>(w(i, o) - q(i, o)) * gram.at(i, j) *
            static_cast<double>(w(j, o) - q(j, o));
      }
    }
  }
  return sums;
}

TEST(ClipOnOutput, NoGroupLosesMoreThanOverTheWholeRange) {
  ThreadPool pool(2);
  const Matrix w = gaussian(100, 70, 31);  // groups of 32: the last has 4
  const Gram gram = gram_of(activations(600, 100, 32));
  for (const Grid& grid : kGrids) {
    const auto whole = energies(w, quantize_rtn(weight_ref(w), grid, pool), gram);
    const auto clipped =
        energies(w, quantize_clipped_on_output(w, floats(gram), grid, 10, pool), gram);
    double before = 0;
    double after = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      ASSERT_LE(clipped[i], whole[i] * (1 + 1e-3)) << to_string(grid);
      before += whole[i];
      after += clipped[i];
    }
    EXPECT_LT(after, 0.97 * before) << to_string(grid);
  }
}

TEST(ClipOnOutput, WithoutStepsItRoundsToNearest) {
  ThreadPool pool(2);
  const Matrix w = gaussian(64, 20, 33);
  const Gram gram = gram_of(activations(200, 64, 34));
  for (const Grid& grid : kGrids) {
    EXPECT_EQ(quantize_clipped_on_output(w, floats(gram), grid, 0, pool),
              quantize_rtn(weight_ref(w), grid, pool));
  }
}

TEST(ClipOnOutput, WithoutEnergyItStaysAtTheWholeRange) {
  ThreadPool pool(1);
  const Matrix w = gaussian(64, 5, 35);
  const std::vector<float> nothing(64 * 64);
  EXPECT_EQ(quantize_clipped_on_output(w, nothing, {4, 32, false}, 10, pool),
            quantize_rtn(weight_ref(w), {4, 32, false}, pool));
}

TEST(ClipOnOutput, GivesTheSameForAnyNumberOfThreads) {
  const Matrix w = gaussian(96, 150, 36);
  const auto gram = floats(gram_of(activations(300, 96, 37)));
  ThreadPool one(1);
  ThreadPool three(3);
  EXPECT_EQ(quantize_clipped_on_output(w, gram, {4, 32, false}, 10, one),
            quantize_clipped_on_output(w, gram, {4, 32, false}, 10, three));
}

}  // namespace
}  // namespace onnxpress
