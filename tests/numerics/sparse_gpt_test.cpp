// SPDX-License-Identifier: Apache-2.0
#include "numerics/sparse_gpt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "correlated.h"
#include "numerics/output_error.h"

namespace onnxpress {
namespace {

using test::activations;
using test::gaussian;
using test::gram_of;

const SparsityPattern kPatterns[] = {{2, 4},      {1, 4},      {4, 8},     {1, 2},
                                     {0, 0, 0.5}, {0, 0, 0.3}, {0, 0, 0.9}};
constexpr GptqOptions kModelOrder{.activation_order = false};

Gram identity(std::int64_t k) {
  Gram gram(k);
  gram.rows = 1;
  for (std::int64_t j = 0; j < k; ++j) gram.xx[static_cast<std::size_t>(j * k + j)] = 1;
  return gram;
}

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

// Zeros of each output in the inputs [begin, end).
std::int64_t zeros(const Matrix& w, std::int64_t output, std::int64_t begin, std::int64_t end) {
  std::int64_t count = 0;
  for (std::int64_t i = begin; i < end; ++i) count += w(i, output) == 0 ? 1 : 0;
  return count;
}

void expect_pattern(const Matrix& w, const SparsityPattern& pattern) {
  if (!pattern.grouped()) {
    const auto count = std::ranges::count(w.values, 0.0F);
    EXPECT_NEAR(static_cast<double>(count) / static_cast<double>(w.values.size()), pattern.share,
                0.005)
        << to_string(pattern);
    return;
  }
  for (std::int64_t o = 0; o < w.columns; ++o) {
    for (std::int64_t i = 0; i < w.rows; i += pattern.group) {
      const std::int64_t end = std::min(w.rows, i + pattern.group);
      EXPECT_EQ(zeros(w, o, i, end), (end - i) * (pattern.group - pattern.keep) / pattern.group)
          << to_string(pattern);
    }
  }
}

TEST(SparseGpt, MakesExactlyThePattern) {
  ThreadPool pool(2);
  for (const std::int64_t in : {128, 130, 3}) {  // the last group may not be full
    const Matrix w = gaussian(in, 70, 1);
    const auto factor = factor_for_gptq(gram_of(activations(600, in, 2)), kModelOrder, pool);
    for (const SparsityPattern& pattern : kPatterns) {
      if (in == 3 && !pattern.grouped()) continue;
      const SparseGptResult result = prune_sparse_gpt(w, factor, pattern, {.sweeps = 2}, pool);
      expect_pattern(result.w, pattern);
      expect_pattern(masked(w, least_mask(w, {}, pattern, pool)), pattern);
      EXPECT_EQ(masked(result.w, result.mask), result.w);
    }
  }
}

TEST(SparseGpt, IsMagnitudePruningWhereInputsAreUncorrelated) {
  ThreadPool pool(2);
  const Matrix w = gaussian(96, 70, 3);
  const auto factor = factor_for_gptq(identity(96), kModelOrder, pool);
  for (const SparsityPattern& pattern : kPatterns) {
    for (const int sweeps : {0, 2}) {
      const Matrix expected = masked(w, least_mask(w, {}, pattern, pool));
      const SparseGptOptions options{.block = 96, .sweeps = sweeps};
      EXPECT_EQ(prune_sparse_gpt(w, factor, pattern, options, pool).w, expected)
          << to_string(pattern);
    }
  }
}

TEST(SparseGpt, CountsTheLossThatItMakes) {
  ThreadPool pool(2);
  const Matrix w = gaussian(160, 40, 4, 0.05F);
  for (const bool ordered : {false, true}) {
    const GptqOptions options{.activation_order = ordered};
    const auto factor = factor_for_gptq(gram_of(activations(900, 160, 5)), options, pool);
    const SparseGptResult result = prune_sparse_gpt(w, factor, {0, 0, 0.5}, {.block = 48}, pool);
    EXPECT_NEAR(result.loss / trace(w, result.w, factor.gram), 1, 1e-3);
  }
}

TEST(SparseGpt, SweepsNeverMakeTheLossLarger) {
  ThreadPool pool(2);
  const Matrix w = gaussian(160, 40, 6, 0.05F);
  const auto factor = factor_for_gptq(gram_of(activations(900, 160, 7)), kModelOrder, pool);
  for (const SparsityPattern& pattern : kPatterns) {
    double last = INFINITY;
    for (const int sweeps : {0, 1, 3}) {
      const auto result = prune_sparse_gpt(w, factor, pattern, {.sweeps = sweeps}, pool);
      const double loss = trace(w, result.w, factor.gram);
      EXPECT_LE(loss, last * (1 + 1e-5)) << to_string(pattern);
      last = loss;
    }
  }
}

TEST(SparseGpt, LosesFarLessThanMagnitudeOnHeldOutRows) {
  ThreadPool pool(2);
  const Matrix w = gaussian(256, 128, 8, 0.05F);
  const auto factor = factor_for_gptq(gram_of(activations(4000, 256, 9)), kModelOrder, pool);
  const Gram held_out = gram_of(activations(1000, 256, 10));
  std::vector<double> sizes;
  for (const float energy : factor.energy) sizes.push_back(std::sqrt(static_cast<double>(energy)));
  for (const SparsityPattern& pattern : {kPatterns[0], kPatterns[2], kPatterns[4]}) {
    const auto error = [&](const Matrix& q) { return output_error(w, q, held_out, pool); };
    const double magnitude = error(masked(w, least_mask(w, {}, pattern, pool)));
    const double wanda = error(masked(w, least_mask(w, sizes, pattern, pool)));
    const double compensated = error(prune_sparse_gpt(w, factor, pattern, {.sweeps = 2}, pool).w);
    EXPECT_LT(wanda, magnitude) << to_string(pattern);
    EXPECT_LE(compensated, 0.6 * magnitude) << to_string(pattern);
  }
}

TEST(SparseGpt, GivesTheSameForAnyNumberOfThreads) {
  const Matrix w = gaussian(160, 200, 11);
  ThreadPool one(1);
  const auto factor = factor_for_gptq(gram_of(activations(500, 160, 12)), kModelOrder, one);
  for (const SparsityPattern& pattern : kPatterns) {
    const Matrix expected = prune_sparse_gpt(w, factor, pattern, {.sweeps = 1}, one).w;
    for (const int threads : {2, 8}) {
      ThreadPool pool(threads);
      EXPECT_EQ(prune_sparse_gpt(w, factor, pattern, {.sweeps = 1}, pool).w, expected);
    }
  }
}

TEST(Sparsity, ReadsPatterns) {
  EXPECT_EQ(parse_pattern("2:4"), (SparsityPattern{2, 4}));
  EXPECT_EQ(parse_pattern("4:8"), (SparsityPattern{4, 8}));
  for (const char* text :
       {"4:2", "2:2", "0:4", "-1:4", "2:65", "2", ":", "2:", "2:4 ", "a:b", ""}) {
    EXPECT_FALSE(parse_pattern(text)) << text;
  }
}

TEST(Sparsity, WandaComparesTheWeightsOfOneOutput) {
  ThreadPool pool(1);
  Matrix w(2, 2);
  w.values = {1, 10, 2, 20};
  const std::vector<double> sizes{4, 1};
  EXPECT_EQ(least_mask(w, sizes, {0, 0, 0.5}, pool), (Mask{0, 0, 1, 1}));
  EXPECT_EQ(least_mask(w, {}, {0, 0, 0.5}, pool), (Mask{1, 0, 1, 0}));
}

TEST(Sparsity, ArchivesOfHalfZerosAreAboutHalf) {
  ThreadPool pool(1);
  const Matrix w = gaussian(200, 200, 13);
  const auto dense = static_cast<double>(archive_bytes(w.values));
  EXPECT_NEAR(dense / (200 * 200 * 4), 0.92, 0.03);
  const Matrix half = masked(w, least_mask(w, {}, {0, 0, 0.5}, pool));
  EXPECT_NEAR(static_cast<double>(archive_bytes(half.values)) / dense, 0.6, 0.05);  // zlib: 0.57
  EXPECT_EQ(archive_bytes(std::vector<float>(100)), 0);
}

}  // namespace
}  // namespace onnxpress
