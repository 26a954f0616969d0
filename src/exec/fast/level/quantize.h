// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/fast/level/level.h"
#include "exec/fast/level/simd.h"

// Ranges and u8 codes of activations.
namespace onnxpress::exec::fast {
namespace {

void min_max(const float* x, std::int64_t count, float* lowest, float* highest) {
  if (count == 0) return;
  Floats low = splat(x[0]);
  Floats high = low;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Floats v = load(x + i);
    low = min(v, low);
    high = max(v, high);
  }
  if (i < count) {
    const Floats v = load(x + i, count - i, x[0]);
    low = min(v, low);
    high = max(v, high);
  }
  *lowest = smallest(low);
  *highest = largest(high);
}

// The code of each element as an integer from 0 to 255.
inline Ints codes(Floats x, float scale, float inverse, float zero_point) {
  const Floats limit = splat(4096.0F);  // far beyond the codes, and where round_even works
  Floats q = max(min(x * inverse, limit), -limit);
  Floats r = round_even(q);
  // x · (1 / scale) is off by a rounding or two from x / scale, which decides only near halves.
  const Floats distance = from_bits(bits_of(q - r) & 0x7FFFFFFF);
#if defined(__AVX512F__)
  const bool any = _mm512_cmp_ps_mask(distance, splat(0.4999F), _CMP_GT_OQ) != 0;
#elif defined(__AVX2__)
  const bool any = _mm256_movemask_ps(_mm256_cmp_ps(distance, splat(0.4999F), _CMP_GT_OQ)) != 0;
#else
  const bool any = largest(distance) > 0.4999F;
#endif
  if (any) r = round_even(max(min(x / scale, limit), -limit));
  return __builtin_convertvector(max(min(r + zero_point, splat(255.0F)), Floats{}), Ints);
}

void quantize(const float* x, std::int64_t count, float scale, std::int32_t zero_point,
              std::uint8_t* y) {
  const float inverse = 1.0F / scale;
  const auto zero = static_cast<float>(zero_point);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Ints q = codes(load(x + i), scale, inverse, zero);
#if defined(__AVX512F__)
    const __m128i narrow = _mm512_maskz_cvtepi32_epi8(kAllLanes, (__m512i)q);
    __builtin_memcpy(y + i, &narrow, sizeof narrow);
#else
    typedef std::uint8_t Codes __attribute__((vector_size(kLanes)));
    const Codes narrow = __builtin_convertvector(q, Codes);
    __builtin_memcpy(y + i, &narrow, sizeof narrow);
#endif
  }
  if (i < count) {
    const Ints q = codes(load(x + i, count - i, 0), scale, inverse, zero);
    for (std::int64_t j = i; j < count; ++j) y[j] = static_cast<std::uint8_t>(q[j - i]);
  }
}

}  // namespace
}  // namespace onnxpress::exec::fast
