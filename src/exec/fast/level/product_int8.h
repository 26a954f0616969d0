// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/fast/level/level.h"
#include "exec/fast/level/product_f32.h"
#include "exec/fast/level/simd.h"

#if defined(__AMX_INT8__)
#include <immintrin.h>
#endif

// u8 × s8 → s32 product, exact. Groups of neighbouring k lie side by side in 32 bits: four bytes
// where the CPU multiplies and adds four at a time without saturating (VNNI), otherwise two numbers
// widened to 16 bits, since the older instruction for bytes saturates.
namespace onnxpress::exec::fast {
namespace {

#if defined(__AVX512VNNI__)
using Packed = std::int8_t;
using Arranged = std::uint8_t;
#else
using Packed = std::int16_t;
using Arranged = std::int16_t;
#endif
constexpr int kGroup = 4 / sizeof(Packed);
constexpr int kIntegerPanel = kFloatPanel;
#if defined(__AMX_INT8__)
constexpr int kDepthStep = 64;
#else
constexpr int kDepthStep = kGroup;
#endif

inline std::int64_t padded_depth(std::int64_t k) {
  return (k + kDepthStep - 1) / kDepthStep * kDepthStep;
}

std::int64_t packed_bytes(std::int64_t k, std::int64_t n) {
  return (n + kIntegerPanel - 1) / kIntegerPanel * kIntegerPanel * padded_depth(k) *
         static_cast<std::int64_t>(sizeof(Packed));
}

void pack_integer(const std::int8_t* b, std::int64_t row_stride, std::int64_t column_stride,
                  std::int64_t k, std::int64_t n, void* packed) {
  auto* to = static_cast<Packed*>(packed);
  for (std::int64_t first = 0; first < n; first += kIntegerPanel) {
    for (std::int64_t i = 0; i < padded_depth(k); i += kGroup) {
      for (std::int64_t j = first; j < first + kIntegerPanel; ++j) {
        for (std::int64_t g = i; g < i + kGroup; ++g) {
          *to++ = g < k && j < n ? b[g * row_stride + j * column_stride] : 0;
        }
      }
    }
  }
}

std::int64_t arranged_bytes(std::int64_t k) {
  return padded_depth(k) * static_cast<std::int64_t>(sizeof(Arranged));
}

void arrange(const std::uint8_t* a, std::int64_t rows, std::int64_t k, void* arranged) {
  auto* to = static_cast<Arranged*>(arranged);
  for (std::int64_t r = 0; r < rows; ++r, a += k, to += padded_depth(k)) {
    for (std::int64_t i = 0; i < k; ++i) to[i] = a[i];
    for (std::int64_t i = k; i < padded_depth(k); ++i) to[i] = 0;
  }
}

// acc + the products of the groups in each lane of a and b.
inline Ints multiply_add(Ints acc, Ints a, Ints b) {
#if defined(__AVX512VNNI__)
  return (Ints)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)a, (__m512i)b);
#elif defined(__AVX512BW__)
  return acc + (Ints)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return acc + (Ints)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return acc + (Ints)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
  return acc + (a >> 16) * (b >> 16) + ((a << 16) >> 16) * ((b << 16) >> 16);
#endif
}

// Row `row`, columns from `column`: corrects the sums by the zero point and stores them.
inline void finish_integers(const IntegerProduct& p, std::int64_t row, std::int64_t column, Ints v0,
                            Ints v1) {
  const std::int64_t left = p.n - column;
  const std::int64_t columns = left < kIntegerPanel ? left : kIntegerPanel;
  std::int32_t sums[kIntegerPanel] = {};
  float scales[kIntegerPanel] = {};
  const std::int32_t* column_sums = p.column_sums + column;
  const float* b_scales = p.b_scales == nullptr ? nullptr : p.b_scales + column;
  if (columns < kIntegerPanel) {
    for (std::int64_t j = 0; j < columns; ++j) sums[j] = column_sums[j];
    column_sums = sums;
    if (b_scales != nullptr) {
      for (std::int64_t j = 0; j < columns; ++j) scales[j] = b_scales[j];
      b_scales = scales;
    }
  }
  v0 -= p.zero_point * load(column_sums);
  v1 -= p.zero_point * load(column_sums + kLanes);
  if (p.c == nullptr) {
    std::int32_t edge[kIntegerPanel];
    store(edge, v0);
    store(edge + kLanes, v1);
    std::int32_t* to = p.integers + row * p.c_stride + column;
    for (std::int64_t j = 0; j < columns; ++j) to[j] = edge[j];
    return;
  }
  Floats f0 = to_floats(v0);
  Floats f1 = to_floats(v1);
  if (b_scales != nullptr) {
    f0 *= p.a_scale * load(b_scales);
    f1 *= p.a_scale * load(b_scales + kLanes);
  } else {
    f0 *= p.a_scale;
    f1 *= p.a_scale;
  }
  finish_row(f0, f1, columns, p.bias == nullptr ? nullptr : p.bias + column,
             p.residual == nullptr ? nullptr : p.residual + row * p.residual_stride + column,
             p.activation, p.c + row * p.c_stride + column);
}

inline const Arranged* arranged_row(const IntegerProduct& p, std::int64_t row) {
  return static_cast<const Arranged*>(p.a) +
         row * (p.row_bytes / static_cast<std::int64_t>(sizeof(Arranged)));
}

template <int rows>
void integer_tile(const IntegerProduct& p, std::int64_t row, const Packed* b, std::int64_t column) {
  Ints acc[rows][kPanelVectors] = {};
  const Arranged* a = arranged_row(p, row);
  const std::int64_t stride = p.row_bytes / static_cast<std::int64_t>(sizeof(Arranged));
  for (std::int64_t i = 0; i < p.k; i += kGroup) {
    Ints b0;
    Ints b1;
    __builtin_memcpy(&b0, b + i * kIntegerPanel, sizeof b0);
    __builtin_memcpy(&b1, b + i * kIntegerPanel + kLanes * kGroup, sizeof b1);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      std::int32_t group;
      __builtin_memcpy(&group, a + r * stride + i, sizeof group);
      const Ints x = splat(group);
      acc[r][0] = multiply_add(acc[r][0], x, b0);
      acc[r][1] = multiply_add(acc[r][1], x, b1);
    }
  }
  for (int r = 0; r < rows; ++r) finish_integers(p, row + r, column, acc[r][0], acc[r][1]);
}

template <int rows>
void integer_tile_of(std::int64_t count, const IntegerProduct& p, std::int64_t row, const Packed* b,
                     std::int64_t column) {
  if (count == rows) return integer_tile<rows>(p, row, b, column);
  if constexpr (rows > 1) integer_tile_of<rows - 1>(count, p, row, b, column);
}

void integer_panels(const IntegerProduct& p, std::int64_t begin, std::int64_t end) {
  for (std::int64_t panel = begin; panel < end; ++panel) {
    const Packed* b = static_cast<const Packed*>(p.b) + panel * padded_depth(p.k) * kIntegerPanel;
    std::int64_t row = 0;
    for (; row + kTileRows <= p.rows; row += kTileRows) {
      integer_tile<kTileRows>(p, row, b, panel * kIntegerPanel);
    }
    if (row < p.rows) {
      integer_tile_of<kTileRows - 1>(p.rows - row, p, row, b, panel * kIntegerPanel);
    }
  }
}

#if defined(__AMX_INT8__)

constexpr int kTile = 16;  // rows of a tile; 64 bytes each

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};
  std::uint8_t rows[16] = {};
};

// Tiles 0 to 3: sums, [upper | lower rows] × [left | right columns]; 4, 5: a; 6, 7: b.
inline void configure_tiles(int upper, int lower) {
  TileConfig config;
  for (int t = 0; t < 8; ++t) {
    config.bytes[t] = 64;
    config.rows[t] = kTile;
  }
  config.rows[0] = config.rows[1] = config.rows[4] = static_cast<std::uint8_t>(upper);
  config.rows[2] = config.rows[3] = config.rows[5] = static_cast<std::uint8_t>(lower);
  _tile_loadconfig(&config);
}

inline void finish_tiles(const IntegerProduct& p, std::int64_t row, int rows, std::int64_t column,
                         const std::int32_t* sums) {
  for (int r = 0; r < rows; ++r) {
    finish_integers(p, row + r, column, load(sums + r * kIntegerPanel),
                    load(sums + r * kIntegerPanel + kLanes));
  }
}

// `rows` ≤ 32 rows of one panel, with the tiles configured for them.
inline void tiled_rows(const IntegerProduct& p, std::int64_t row, int rows, const Packed* b,
                       std::int64_t column) {
  alignas(64) std::int32_t sums[2 * kTile * kIntegerPanel];
  const Arranged* a = arranged_row(p, row);
  const bool two = rows > kTile;
  _tile_zero(0);
  _tile_zero(1);
  if (two) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (std::int64_t i = 0; i < p.k; i += 64) {
    const Packed* bi = b + i * kIntegerPanel;
    _tile_loadd(6, bi, kIntegerPanel * kGroup);
    _tile_loadd(7, bi + 64, kIntegerPanel * kGroup);
    _tile_loadd(4, a + i, p.row_bytes);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    if (two) {
      _tile_loadd(5, a + kTile * p.row_bytes + i, p.row_bytes);
      _tile_dpbusd(2, 5, 6);
      _tile_dpbusd(3, 5, 7);
    }
  }
  _tile_stored(0, sums, kIntegerPanel * 4);
  _tile_stored(1, sums + kTile, kIntegerPanel * 4);
  if (two) {
    _tile_stored(2, sums + kTile * kIntegerPanel, kIntegerPanel * 4);
    _tile_stored(3, sums + kTile * kIntegerPanel + kTile, kIntegerPanel * 4);
  }
  finish_tiles(p, row, rows, column, sums);
}

void integer_product(const IntegerProduct& p, std::int64_t begin, std::int64_t end) {
  if (p.rows < 8) return integer_panels(p, begin, end);
  const auto panel_of = [&](std::int64_t panel) {
    return static_cast<const Packed*>(p.b) + panel * padded_depth(p.k) * kIntegerPanel;
  };
  const std::int64_t whole = p.rows / (2 * kTile) * (2 * kTile);
  if (whole > 0) {
    configure_tiles(kTile, kTile);
    for (std::int64_t panel = begin; panel < end; ++panel) {
      for (std::int64_t row = 0; row < whole; row += 2 * kTile) {
        tiled_rows(p, row, 2 * kTile, panel_of(panel), panel * kIntegerPanel);
      }
    }
  }
  if (const int rest = static_cast<int>(p.rows - whole); rest > 0) {
    configure_tiles(rest < kTile ? rest : kTile, rest > kTile ? rest - kTile : 1);
    for (std::int64_t panel = begin; panel < end; ++panel) {
      tiled_rows(p, whole, rest, panel_of(panel), panel * kIntegerPanel);
    }
  }
  _tile_release();
}

#else

void integer_product(const IntegerProduct& p, std::int64_t begin, std::int64_t end) {
  integer_panels(p, begin, end);
}

#endif

}  // namespace
}  // namespace onnxpress::exec::fast
