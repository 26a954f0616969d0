// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "exec/fast/packed_weights.h"
#include "exec/fast/products.h"
#include "levels.h"

namespace onnxpress::exec::fast {
namespace {

struct Case {
  std::int64_t batch, heads, key_heads, queries, keys, depth, value_depth;
  bool rows_first;
};

RowStrides strides(bool rows_first, std::int64_t heads, std::int64_t rows, std::int64_t depth) {
  if (rows_first) return {heads * rows * depth, depth, heads * depth};
  return {heads * rows * depth, rows * depth, depth};
}

class AttentionKernel : public test::EveryLevel {
 protected:
  void check(const Case& c) {
    const auto q = random(c.batch * c.heads * c.queries * c.depth);
    const auto k = random(c.batch * c.key_heads * c.keys * c.depth, -3, 3);
    const auto v = random(c.batch * c.key_heads * c.keys * c.value_depth);
    const auto mask = random(c.batch * c.keys, -5, 0);
    std::vector<float> one(static_cast<std::size_t>(c.batch * c.heads * c.queries * c.value_depth));
    auto three = one;
    AttentionProblem p;
    p.batch = c.batch;
    p.heads = c.heads;
    p.key_heads = c.key_heads;
    p.queries = c.queries;
    p.keys = c.keys;
    p.depth = c.depth;
    p.value_depth = c.value_depth;
    p.scale = 0.25F;
    p.q = {q.data(), strides(c.rows_first, c.heads, c.queries, c.depth)};
    p.k = {k.data(), strides(c.rows_first, c.key_heads, c.keys, c.depth)};
    p.v = {v.data(), strides(c.rows_first, c.key_heads, c.keys, c.value_depth)};
    p.mask = {mask.data(), c.keys, 0, 0, 1};
    p.out_strides = strides(c.rows_first, c.heads, c.queries, c.value_depth);
    for (auto* y : {&one, &three}) {
      ThreadPool pool(y == &one ? 1 : 3);
      p.out = y->data();
      const AlignedBytes scratch(4 * attention_scratch_floats(functions(), pool, p) + 64);
      attend(functions(), pool, p, reinterpret_cast<float*>(scratch.data()));
    }
    EXPECT_EQ(one, three);
    for (std::int64_t b = 0; b < c.batch; ++b) {
      for (std::int64_t h = 0; h < c.heads; ++h) {
        const std::int64_t kh = h * c.key_heads / c.heads;
        for (std::int64_t i = 0; i < c.queries; ++i) check_query(c, p, b, h, kh, i);
      }
    }
  }

  static void check_query(const Case& c, const AttentionProblem& p, std::int64_t b, std::int64_t h,
                          std::int64_t kh, std::int64_t i) {
    const auto row = [&](const float* data, const RowStrides& s, std::int64_t head,
                         std::int64_t r) { return data + b * s.batch + head * s.head + r * s.row; };
    std::vector<double> weights;
    double sum = 0;
    for (std::int64_t j = 0; j < c.keys; ++j) {
      double score = 0;
      for (std::int64_t d = 0; d < c.depth; ++d) {
        score += static_cast<double>(row(p.q.data, p.q.strides, h, i)[d]) *
                 row(p.k.data, p.k.strides, kh, j)[d];
      }
      weights.push_back(
          std::exp(score * p.scale + static_cast<double>(p.mask.data[b * c.keys + j])));
      sum += weights.back();
    }
    for (std::int64_t d = 0; d < c.value_depth; ++d) {
      double expected = 0;
      for (std::int64_t j = 0; j < c.keys; ++j) {
        expected +=
            weights[static_cast<std::size_t>(j)] / sum * row(p.v.data, p.v.strides, kh, j)[d];
      }
      ASSERT_NEAR(row(p.out, p.out_strides, h, i)[d], expected, 2e-6);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(, AttentionKernel, testing::ValuesIn(test::available_levels()),
                         test::level_name);

TEST_P(AttentionKernel, EqualsItsDefinition) {
  for (const bool rows_first : {false, true}) {
    check({2, 3, 3, 5, 5, 8, 8, rows_first});
    check({1, 2, 2, 1, 1, 1, 1, rows_first});
    check({2, 4, 2, 37, 41, 32, 32, rows_first});
    check({1, 6, 1, 13, 70, 12, 20, rows_first});
    check({0, 2, 2, 3, 3, 4, 4, rows_first});
    check({2, 2, 2, 0, 3, 4, 4, rows_first});
  }
}

}  // namespace
}  // namespace onnxpress::exec::fast
