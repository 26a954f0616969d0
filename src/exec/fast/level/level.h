// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/cpu.h"

// The inner loops that are compiled once per instruction-set level, as a table of functions per
// level. They run on the caller's thread and know nothing of graphs. What they compute for one
// element never depends on how the caller split the work, so results are the same for any number
// of threads.
//
// Files that are compiled with wider instructions include only this header and <cstdint>: an inline
// function of the standard library that they instantiated could replace the baseline's at link
// time.
namespace onnxpress::exec::fast {

enum class Activation : std::uint8_t { none, relu, gelu, gelu_tanh, silu, tanh, sigmoid };

// c = activation(a × b + bias) + residual. a: rows × k, b: packed k × n, c and residual: rows × n.
struct FloatProduct {
  const float* a = nullptr;
  std::int64_t a_stride = 0;
  const float* b = nullptr;     // as pack_float wrote it
  const float* bias = nullptr;  // n, or null
  const float* residual = nullptr;
  std::int64_t residual_stride = 0;
  float* c = nullptr;
  std::int64_t c_stride = 0;
  std::int64_t rows = 0, k = 0, n = 0;
  Activation activation = Activation::none;
};

// c = activation(float(a × b - zero_point · column_sums) · (a_scale · b_scales) + bias) + residual,
// with an exact integer product (k ≤ kMaxIntegerDepth).
struct IntegerProduct {
  const void* a = nullptr;  // rows in the form of Level::arrange, row_bytes apart
  std::int64_t row_bytes = 0;
  const void* b = nullptr;                    // as pack_integer wrote it
  const std::int32_t* column_sums = nullptr;  // n: sums of the columns of b
  std::int32_t zero_point = 0;                // of a
  float a_scale = 1;
  const float* b_scales = nullptr;  // n, or null: `a_scale` alone counts
  const float* bias = nullptr;
  const float* residual = nullptr;
  std::int64_t residual_stride = 0;
  float* c = nullptr;                // or null, then
  std::int32_t* integers = nullptr;  // gets a × b - zero_point · column_sums
  std::int64_t c_stride = 0;
  std::int64_t rows = 0, k = 0, n = 0;
  Activation activation = Activation::none;
};
inline constexpr std::int64_t kMaxIntegerDepth = 32768;  // 2^31 / (255 · 256), rounded down

// Where the rows of one tensor of an attention lie; elements of a row are adjacent.
struct RowStrides {
  std::int64_t batch = 0, head = 0, row = 0;
};

// out = softmax(scale · q × kᵀ + mask) × v for one batch entry and one head.
struct Attention {
  const float* q = nullptr;     // queries × depth
  const float* k = nullptr;     // keys × depth
  const float* v = nullptr;     // keys × value_depth
  const float* mask = nullptr;  // added; null: none
  float* out = nullptr;         // queries × value_depth
  std::int64_t q_stride = 0, k_stride = 0, v_stride = 0, out_stride = 0;
  std::int64_t mask_query_stride = 0, mask_key_stride = 0;
  std::int64_t queries = 0, keys = 0, depth = 0, value_depth = 0;
  float scale = 1;
  float* scratch = nullptr;  // attention_scratch() floats
};

struct NormRows {
  const float* x = nullptr;         // rows × width
  const float* residual = nullptr;  // added to x first; null: none
  const float* gain = nullptr;      // width
  const float* shift = nullptr;     // width; null: none
  float* y = nullptr;
  std::int64_t rows = 0, width = 0;
  float epsilon = 0;
};

struct Level {
  InstructionSet instruction_set;

  // --- f32 products
  std::int64_t float_panel;  // columns that are packed together
  // Floats that a packed k × n matrix takes.
  std::int64_t (*packed_floats)(std::int64_t k, std::int64_t n);
  // Element (i, j) of b lies at b[i · row_stride + j · column_stride].
  void (*pack_float)(const float* b, std::int64_t row_stride, std::int64_t column_stride,
                     std::int64_t k, std::int64_t n, float* packed);
  // Columns of panels [begin, end) of all rows.
  void (*float_product)(const FloatProduct& p, std::int64_t begin, std::int64_t end);

  // --- integer products
  std::int64_t integer_panel;
  std::int64_t (*packed_bytes)(std::int64_t k, std::int64_t n);
  void (*pack_integer)(const std::int8_t* b, std::int64_t row_stride, std::int64_t column_stride,
                       std::int64_t k, std::int64_t n, void* packed);
  // Bytes of one arranged row of a; plain rows can be used as they are if this is k.
  std::int64_t (*arranged_bytes)(std::int64_t k);
  void (*arrange)(const std::uint8_t* a, std::int64_t rows, std::int64_t k, void* arranged);
  void (*integer_product)(const IntegerProduct& p, std::int64_t begin, std::int64_t end);

  // --- quantization
  void (*min_max)(const float* x, std::int64_t count, float* min, float* max);
  // y = saturate(round_half_even(x / scale) + zero_point)
  void (*quantize)(const float* x, std::int64_t count, float scale, std::int32_t zero_point,
                   std::uint8_t* y);

  // --- elements and rows
  void (*activate)(Activation activation, const float* x, std::int64_t count, float* y);
  void (*exponential)(const float* x, std::int64_t count, float* y);
  void (*error_function)(const float* x, std::int64_t count, float* y);
  // softmax(scale · x + mask) of one row; mask may be null.
  void (*softmax)(const float* x, const float* mask, float scale, std::int64_t count, float* y);
  void (*layer_norm)(const NormRows& p);
  void (*rms_norm)(const NormRows& p);
  std::int64_t (*attention_scratch)(std::int64_t keys, std::int64_t depth,
                                    std::int64_t value_depth);
  void (*attention)(const Attention& p);
};

// The tables. The higher ones exist only in x86-64 builds.
const Level& baseline_level();
#if defined(__x86_64__)
const Level& avx2_level();
const Level& avx512_level();
const Level& avx512_vnni_level();
const Level& amx_level();
#endif

// The highest level that neither exceeds `limit` nor what this CPU and operating system offer.
[[nodiscard]] const Level& level(InstructionSet limit);

}  // namespace onnxpress::exec::fast
