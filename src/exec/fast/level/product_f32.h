// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/fast/level/functions.h"
#include "exec/fast/level/level.h"
#include "exec/fast/level/simd.h"

// f32 matrix product: panels of two vectors of columns × tiles of as many rows as the registers
// hold. Every element is one chain of multiply-adds over k in ascending order.
namespace onnxpress::exec::fast {
namespace {

constexpr int kPanelVectors = 2;
constexpr int kFloatPanel = kPanelVectors * kLanes;
#if defined(__AVX512F__)
constexpr int kTileRows = 12;
#else
constexpr int kTileRows = 6;
#endif

std::int64_t packed_floats(std::int64_t k, std::int64_t n) {
  return (n + kFloatPanel - 1) / kFloatPanel * kFloatPanel * k;
}

void pack_float(const float* b, std::int64_t row_stride, std::int64_t column_stride, std::int64_t k,
                std::int64_t n, float* packed) {
  for (std::int64_t first = 0; first < n; first += kFloatPanel) {
    const std::int64_t columns = n - first < kFloatPanel ? n - first : kFloatPanel;
    for (std::int64_t i = 0; i < k; ++i) {
      const float* row = b + i * row_stride + first * column_stride;
      for (std::int64_t j = 0; j < kFloatPanel; ++j) {
        packed[i * kFloatPanel + j] = j < columns ? row[j * column_stride] : 0.0F;
      }
    }
    packed += k * kFloatPanel;
  }
}

// acc += a[rows × k] × b[k × panel], where rows of b are b_stride apart.
template <int rows>
inline void accumulate(const float* a, std::int64_t a_stride, const float* b, std::int64_t b_stride,
                       std::int64_t k, Floats (&acc)[rows][kPanelVectors]) {
  for (std::int64_t i = 0; i < k; ++i, b += b_stride) {
    const Floats b0 = load(b);
    const Floats b1 = load(b + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const Floats x = splat(a[r * a_stride + i]);
      acc[r][0] = fma(x, b0, acc[r][0]);
      acc[r][1] = fma(x, b1, acc[r][1]);
    }
  }
}

// Stores one row of a tile: `columns` of value + bias, then the activation, then + residual.
inline void finish_row(Floats v0, Floats v1, std::int64_t columns, const float* bias,
                       const float* residual, Activation activation, float* c) {
  float edge[kFloatPanel];
  float* to = columns == kFloatPanel ? c : edge;
  if (bias != nullptr) {
    if (columns == kFloatPanel) {
      v0 += load(bias);
      v1 += load(bias + kLanes);
    } else {
      v0 += load(bias, columns, 0);
      v1 += load(bias + kLanes, columns - kLanes, 0);
    }
  }
  if (activation != Activation::none) {
    v0 = activated(activation, v0);
    v1 = activated(activation, v1);
  }
  if (residual != nullptr) {
    if (columns == kFloatPanel) {
      v0 += load(residual);
      v1 += load(residual + kLanes);
    } else {
      v0 += load(residual, columns, 0);
      v1 += load(residual + kLanes, columns - kLanes, 0);
    }
  }
  store(to, v0);
  store(to + kLanes, v1);
  if (to == edge) {
    for (std::int64_t j = 0; j < columns; ++j) c[j] = edge[j];
  }
}

template <int rows>
void float_tile(const FloatProduct& p, std::int64_t row, const float* b, std::int64_t column) {
  Floats acc[rows][kPanelVectors] = {};
  accumulate<rows>(p.a + row * p.a_stride, p.a_stride, b, kFloatPanel, p.k, acc);
  const std::int64_t columns = p.n - column < kFloatPanel ? p.n - column : kFloatPanel;
  for (int r = 0; r < rows; ++r) {
    finish_row(
        acc[r][0], acc[r][1], columns, p.bias == nullptr ? nullptr : p.bias + column,
        p.residual == nullptr ? nullptr : p.residual + (row + r) * p.residual_stride + column,
        p.activation, p.c + (row + r) * p.c_stride + column);
  }
}

template <int rows>
void float_tile_of(std::int64_t count, const FloatProduct& p, std::int64_t row, const float* b,
                   std::int64_t column) {
  if (count == rows) return float_tile<rows>(p, row, b, column);
  if constexpr (rows > 1) float_tile_of<rows - 1>(count, p, row, b, column);
}

void float_product(const FloatProduct& p, std::int64_t begin, std::int64_t end) {
  for (std::int64_t panel = begin; panel < end; ++panel) {
    const float* b = p.b + panel * p.k * kFloatPanel;
    std::int64_t row = 0;
    for (; row + kTileRows <= p.rows; row += kTileRows) {
      float_tile<kTileRows>(p, row, b, panel * kFloatPanel);
    }
    if (row < p.rows) {
      float_tile_of<kTileRows - 1>(p.rows - row, p, row, b, panel * kFloatPanel);
    }
  }
}

}  // namespace
}  // namespace onnxpress::exec::fast
