// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/fast/level/functions.h"
#include "exec/fast/level/level.h"
#include "exec/fast/level/simd.h"

// Normalisations and softmax: row by row, sums in a fixed order.
namespace onnxpress::exec::fast {
namespace {

// Calls body(i, count) for each vector of the row; count < kLanes only for the last one.
template <class Body>
inline void by_vectors(std::int64_t width, Body body) {
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) body(i, std::int64_t{kLanes});
  if (i < width) body(i, width - i);
}
inline Floats load_part(const float* p, std::int64_t count) {
  return count == kLanes ? load(p) : load(p, count, 0);
}
inline void store_part(float* p, Floats v, std::int64_t count) {
  if (count == kLanes) return store(p, v);
  store(p, v, count);
}

inline Floats root(Floats x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(kAllLanes, x);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(x);
#else
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

// y = (x - mean) · factor · gain + shift
inline void scale_row(const NormRows& p, const float* x, float mean, float factor, float* y) {
  by_vectors(p.width, [&](std::int64_t i, std::int64_t count) {
    Floats v = (load_part(x + i, count) - mean) * factor;
    v *= load_part(p.gain + i, count);
    if (p.shift != nullptr) v += load_part(p.shift + i, count);
    store_part(y + i, v, count);
  });
}

template <bool centred>
void normalise(const NormRows& p) {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.width;
    float* y = p.y + r * p.width;
    if (p.residual != nullptr) {
      const float* residual = p.residual + r * p.width;
      by_vectors(p.width, [&](std::int64_t i, std::int64_t count) {
        store_part(y + i, load_part(x + i, count) + load_part(residual + i, count), count);
      });
      x = y;
    }
    const auto width = static_cast<float>(p.width);
    float mean = 0;
    if constexpr (centred) {
      Floats total = {};
      by_vectors(p.width,
                 [&](std::int64_t i, std::int64_t count) { total += load_part(x + i, count); });
      mean = sum(total) / width;
    }
    Floats squares = {};
    by_vectors(p.width, [&](std::int64_t i, std::int64_t count) {
      const Floats v = (count == kLanes ? load(x + i) : load(x + i, count, mean)) - mean;
      squares = fma(v, v, squares);
    });
    const float deviation = root(splat(sum(squares) / width + p.epsilon))[0];
    scale_row(p, x, mean, 1.0F / deviation, y);
  }
}

void layer_norm(const NormRows& p) {
  normalise<true>(p);
}
void rms_norm(const NormRows& p) {
  normalise<false>(p);
}

constexpr float kLowest = -3.40282347e+38F;

// Replaces `count` scores by exp(score - max) and returns their sum. Scores of -infinity get 0; if
// all are, every score gets 0 / 0, as the definition says.
inline float exponentials(float* x, std::int64_t count) {
  Floats top = splat(-__builtin_inff());
  by_vectors(count, [&](std::int64_t i, std::int64_t n) {
    top = max(top, n == kLanes ? load(x + i) : load(x + i, n, -__builtin_inff()));
  });
  const float highest = largest(top);
  Floats total = {};
  by_vectors(count, [&](std::int64_t i, std::int64_t n) {
    const Floats e = exp((n == kLanes ? load(x + i) : load(x + i, n, -__builtin_inff())) - highest);
    total += e;
    store_part(x + i, e, n);
  });
  return sum(total);
}

void softmax(const float* x, const float* mask, float scale, std::int64_t count, float* y) {
  by_vectors(count, [&](std::int64_t i, std::int64_t n) {
    Floats v = load_part(x + i, n) * scale;
    if (mask != nullptr) v += load_part(mask + i, n);
    store_part(y + i, v, n);
  });
  const float factor = 1.0F / exponentials(y, count);
  by_vectors(count, [&](std::int64_t i, std::int64_t n) {
    store_part(y + i, load_part(y + i, n) * factor, n);
  });
}

}  // namespace
}  // namespace onnxpress::exec::fast
