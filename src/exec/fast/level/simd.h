// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

// Vectors of the widest registers that the including file is compiled for, as the compilers' own
// vector types: `a * b + c` works on them on every architecture. For files of level/ only.
namespace onnxpress::exec::fast {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
constexpr int kLanes = kVectorBytes / 4;
#if defined(__AVX512F__)
// The unmasked intrinsics start from an undefined vector, which GCC 12 warns of.
constexpr __mmask16 kAllLanes = 0xFFFF;
#endif

typedef float Floats __attribute__((vector_size(kVectorBytes)));
typedef std::int32_t Ints __attribute__((vector_size(kVectorBytes)));

inline Floats load(const float* p) {
  Floats v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Floats v) {
  __builtin_memcpy(p, &v, sizeof v);
}
inline Ints load(const std::int32_t* p) {
  Ints v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline void store(std::int32_t* p, Ints v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// The first `count` lanes; the others are `rest`.
inline Floats load(const float* p, std::int64_t count, float rest) {
  float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = i < count ? p[i] : rest;
  return load(lanes);
}
inline void store(float* p, Floats v, std::int64_t count) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::int64_t i = 0; i < count; ++i) p[i] = lanes[i];
}

// x - 0 is x for every x, so compilers drop the subtraction.
inline Floats splat(float x) {
  return x - Floats{};
}
inline Ints splat(std::int32_t x) {
  return x - Ints{};
}
inline Floats to_floats(Ints v) {
  return __builtin_convertvector(v, Floats);
}
inline Ints bits_of(Floats v) {
  return (Ints)v;
}
inline Floats from_bits(Ints v) {
  return (Floats)v;
}
// Lane by lane; `mask` is all ones where `yes` is wanted.
inline Floats select(Ints mask, Floats yes, Floats no) {
  return from_bits((mask & bits_of(yes)) | (~mask & bits_of(no)));
}

// a · b + c, rounded once where the level has the instruction.
inline Floats fma(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}
// As the SSE instructions: b where one of them is not a number.
inline Floats max(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(kAllLanes, a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#else
  return select(a > b, a, b);
#endif
}
inline Floats min(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(kAllLanes, a, b);
#elif defined(__AVX2__)
  return _mm256_min_ps(a, b);
#else
  return select(a < b, a, b);
#endif
}
// To the nearest integer, halves to even, for |x| < 2^22.
inline Floats round_even(Floats x) {
  constexpr float kMagic = 12582912.0F;  // 1.5 · 2^23
  return (x + kMagic) - kMagic;
}

// Reductions go over the lanes in a fixed order.
inline float sum(Floats v) {
  float lanes[kLanes];
  store(lanes, v);
  for (int step = kLanes / 2; step > 0; step /= 2) {
    for (int i = 0; i < step; ++i) lanes[i] += lanes[i + step];
  }
  return lanes[0];
}
inline float largest(Floats v) {
  float lanes[kLanes];
  store(lanes, v);
  float m = lanes[0];
  for (int i = 1; i < kLanes; ++i) m = lanes[i] > m ? lanes[i] : m;
  return m;
}
inline float smallest(Floats v) {
  return -largest(-v);
}

}  // namespace
}  // namespace onnxpress::exec::fast
