// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/fast/level/level.h"
#include "exec/fast/level/product_f32.h"
#include "exec/fast/level/rows.h"

// One head of attention. Keys and values are packed once; then tiles of queries go through both
// products with their scores in the first-level cache.
namespace onnxpress::exec::fast {
namespace {

inline std::int64_t padded_keys(std::int64_t keys) {
  return (keys + kFloatPanel - 1) / kFloatPanel * kFloatPanel;
}

std::int64_t attention_scratch(std::int64_t keys, std::int64_t depth, std::int64_t value_depth) {
  return packed_floats(depth, keys) + packed_floats(keys, value_depth) +
         kTileRows * padded_keys(keys);
}

template <int rows>
void attend(const Attention& p, std::int64_t query, const float* k, const float* v, float* scores) {
  const std::int64_t stride = padded_keys(p.keys);
  const float* q = p.q + query * p.q_stride;
  for (std::int64_t key = 0; key < p.keys; key += kFloatPanel) {
    Floats acc[rows][kPanelVectors] = {};
    accumulate<rows>(q, p.q_stride, k + key * p.depth, kFloatPanel, p.depth, acc);
    for (int r = 0; r < rows; ++r) {
      store(scores + r * stride + key, acc[r][0] * p.scale);
      store(scores + r * stride + key + kLanes, acc[r][1] * p.scale);
    }
  }
  float factors[rows];
  for (int r = 0; r < rows; ++r) {
    float* row = scores + r * stride;
    if (p.mask != nullptr) {
      const float* mask = p.mask + (query + r) * p.mask_query_stride;
      if (p.mask_key_stride == 1) {
        by_vectors(p.keys, [&](std::int64_t i, std::int64_t n) {
          store_part(row + i, load_part(row + i, n) + load_part(mask + i, n), n);
        });
      } else {
        for (std::int64_t i = 0; i < p.keys; ++i) row[i] += mask[i * p.mask_key_stride];
      }
    }
    factors[r] = 1.0F / exponentials(row, p.keys);
  }
  for (std::int64_t column = 0; column < p.value_depth; column += kFloatPanel) {
    Floats acc[rows][kPanelVectors] = {};
    accumulate<rows>(scores, stride, v + column * p.keys, kFloatPanel, p.keys, acc);
    const std::int64_t left = p.value_depth - column;
    for (int r = 0; r < rows; ++r) {
      finish_row(acc[r][0] * factors[r], acc[r][1] * factors[r],
                 left < kFloatPanel ? left : kFloatPanel, nullptr, nullptr, Activation::none,
                 p.out + (query + r) * p.out_stride + column);
    }
  }
}

template <int rows>
void attend_to(std::int64_t count, const Attention& p, std::int64_t query, const float* k,
               const float* v, float* scores) {
  if (count == rows) return attend<rows>(p, query, k, v, scores);
  if constexpr (rows > 1) attend_to<rows - 1>(count, p, query, k, v, scores);
}

void attention(const Attention& p) {
  float* k = p.scratch;
  float* v = k + packed_floats(p.depth, p.keys);
  float* scores = v + packed_floats(p.keys, p.value_depth);
  pack_float(p.k, 1, p.k_stride, p.depth, p.keys, k);
  pack_float(p.v, p.v_stride, 1, p.keys, p.value_depth, v);
  std::int64_t query = 0;
  for (; query + kTileRows <= p.queries; query += kTileRows) {
    attend<kTileRows>(p, query, k, v, scores);
  }
  if (query < p.queries) attend_to<kTileRows - 1>(p.queries - query, p, query, k, v, scores);
}

}  // namespace
}  // namespace onnxpress::exec::fast
