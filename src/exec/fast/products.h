// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/thread_pool.h"
#include "exec/fast/level/level.h"

// Whole operations on raw memory: they split the work of a Level's functions over a thread pool.
// Results do not depend on the number of threads.
namespace onnxpress::exec::fast {

// All columns of p.c (see FloatProduct).
void multiply(const Level& level, ThreadPool& pool, const FloatProduct& p);

// All columns of p.c or p.integers. p.a is plain u8 rows, p.k bytes apart (p.row_bytes is not
// looked at); `scratch` has room for integer_scratch() bytes, 64-byte aligned.
void multiply(const Level& level, ThreadPool& pool, IntegerProduct p, void* scratch);
[[nodiscard]] std::size_t integer_scratch(const Level& level, std::int64_t rows, std::int64_t k);

// A tensor of [batch, heads, rows, depth] by its strides.
struct AttentionOperand {
  const float* data = nullptr;
  RowStrides strides;
};

// Additive mask by its strides, 0 where it is broadcast.
struct AttentionMask {
  const float* data = nullptr;  // null: none
  std::int64_t batch = 0, head = 0, query = 0, key = 0;
};

// out = softmax(scale · q × kᵀ + mask) × v; query head h reads key head h / (heads / key_heads).
struct AttentionProblem {
  AttentionOperand q, k, v;
  AttentionMask mask;
  float* out = nullptr;
  RowStrides out_strides;
  std::int64_t batch = 0, heads = 0, key_heads = 0, queries = 0, keys = 0;
  std::int64_t depth = 0, value_depth = 0;
  float scale = 1;
};
void attend(const Level& level, ThreadPool& pool, const AttentionProblem& p, float* scratch);
[[nodiscard]] std::size_t attention_scratch_floats(const Level& level, const ThreadPool& pool,
                                                   const AttentionProblem& p);

// Scale and zero point of u8 codes for values from `min` to `max`, as DynamicQuantizeLinear has it:
// the range is widened to hold 0; a range of nothing but 0 gets scale 1.
struct DynamicRange {
  float scale = 1;
  std::uint8_t zero_point = 0;
};
[[nodiscard]] DynamicRange dynamic_range(float min, float max);
// Writes the codes of `count` elements and returns what they stand for.
DynamicRange quantize_dynamically(const Level& level, ThreadPool& pool, const float* x,
                                  std::int64_t count, std::uint8_t* codes);

}  // namespace onnxpress::exec::fast
