// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/fast/level/level.h"
#include "exec/fast/level/simd.h"

// exp, erf and the activations on vectors.
namespace onnxpress::exec::fast {
namespace {

// Relative error below 2e-7; 0 below -87.3, infinity above 88.7.
inline Floats exp(Floats x) {
  const Floats clamped = max(splat(-88.0F), min(splat(89.0F), x));  // keeps not-a-number
  const Floats n = round_even(clamped * 1.44269504F);
  Floats r = fma(n, splat(-0.693359375F), clamped);
  r = fma(n, splat(2.12194440e-4F), r);
  // Taylor's series; |r| ≤ ln(2) / 2
  Floats p = fma(splat(1.0F / 5040), r, splat(1.0F / 720));
  p = fma(p, r, splat(1.0F / 120));
  p = fma(p, r, splat(1.0F / 24));
  p = fma(p, r, splat(1.0F / 6));
  p = fma(p, r, splat(0.5F));
  p = fma(p, r, splat(1.0F));
  p = fma(p, r, splat(1.0F));
  // In two steps: 2^128 is no float, but 2^127 · 2 · p may be one.
  const Ints whole = __builtin_convertvector(n, Ints);
  const Ints half = whole >> 1;
  const Floats scaled = p * from_bits((half + 127) << 23) * from_bits((whole - half + 127) << 23);
  return select(x < -87.3F, Floats{}, scaled);
}

// erf(z) = z · p(z² / 7.605 - 1), a Chebyshev fit on |z| ≤ 3.9, beyond which erf rounds to ±1.
// Absolute error below 3e-7.
inline Floats erf(Floats z) {
  constexpr float kFit[] = {0.362583965F,   -0.181011096F,   0.134690791F,   -0.109531701F,
                            0.0906751528F,  -0.0738115236F,  0.0578708984F,  -0.0427361354F,
                            0.029246429F,   -0.0196655616F,  0.0134005453F,  -0.00694883522F,
                            0.00204881234F, -0.00158549659F, 0.00187805342F, -0.000694070361F};
  const Floats limited = max(splat(-3.9F), min(splat(3.9F), z));
  const Floats u = fma(limited * limited, splat(2.0F / (3.9F * 3.9F)), splat(-1.0F));
  constexpr int kDegree = sizeof kFit / sizeof kFit[0] - 1;
  Floats p = splat(kFit[kDegree]);
#pragma GCC unroll 16
  for (int i = kDegree - 1; i >= 0; --i) p = fma(p, u, splat(kFit[i]));
  const Floats one = select(z > 3.9F, splat(1.0F), limited * p);
  return select(z < -3.9F, splat(-1.0F), one);
}

inline Floats sigmoid(Floats x) {
  return 1.0F / (1.0F + exp(-x));
}

inline Floats tanh(Floats x) {
  const Floats square = x * x;
  // Taylor's series for |x| < 0.4; beyond, 1 - 2 / (e^2x + 1) loses nothing that counts.
  Floats p = fma(splat(-1382.0F / 155925), square, splat(62.0F / 2835));
  p = fma(p, square, splat(-17.0F / 315));
  p = fma(p, square, splat(2.0F / 15));
  p = fma(p, square, splat(-1.0F / 3));
  const Floats small = fma(p * square, x, x);
  const Floats large = 1.0F - 2.0F / (exp(x + x) + 1.0F);
  return select(square < 0.16F, small, large);
}

inline Floats activated(Activation activation, Floats x) {
  switch (activation) {
    case Activation::relu:
      return select(x < 0.0F, Floats{}, x);
    case Activation::gelu:
      return 0.5F * x * (1.0F + erf(x * 0.707106781F));
    case Activation::gelu_tanh: {
      const Floats inner = 0.797884561F * fma(x * x * x, splat(0.044715F), x);
      return x * sigmoid(inner + inner);
    }
    case Activation::silu:
      return x * sigmoid(x);
    case Activation::tanh:
      return tanh(x);
    case Activation::sigmoid:
      return sigmoid(x);
    case Activation::none:
      break;
  }
  return x;
}

template <class Function>
inline void for_each(const float* x, std::int64_t count, float* y, Function function) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, function(load(x + i)));
  if (i < count) store(y + i, function(load(x + i, count - i, 0)), count - i);
}

void activate(Activation activation, const float* x, std::int64_t count, float* y) {
  for_each(x, count, y, [activation](Floats v) { return activated(activation, v); });
}
void exponential(const float* x, std::int64_t count, float* y) {
  for_each(x, count, y, [](Floats v) { return exp(v); });
}
void error_function(const float* x, std::int64_t count, float* y) {
  for_each(x, count, y, [](Floats v) { return erf(v); });
}

}  // namespace
}  // namespace onnxpress::exec::fast
