// SPDX-License-Identifier: Apache-2.0
#include "numerics/quantize_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include "base/half.h"
#include "numerics/dense/level.h"
#include "numerics/matrix.h"
#include "numerics/panel_quantizer.h"
#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

constexpr float kSmallestHalf = 0x1p-14F;  // normal
constexpr float kLargestInHalf = 32768;    // half of what a half holds
constexpr double kTrifle = 0.005;

float to_half_scale(float scale) {
  const float half = half_to_float(float_to_half(scale));
  return std::abs(half) >= kSmallestHalf ? half : std::copysign(kSmallestHalf, scale);
}

QuantizedMatrix quantize(const Matrix& w, const TableOptions& options, ThreadPool& pool) {
  PanelQuantizer quantizer(w, quantize_rtn(weight_ref(w), options.grid, pool), pool);
  if (options.clip_steps == 0 && !options.half_scales) return std::move(quantizer).take();
  const dense::Level& level = dense::level();
  quantizer.for_each([&](PanelQuantizer::Panel& panel) {
    if (options.clip_steps > 0) {
      level.search_grid(panel.w.data(), nullptr, w.rows, options.clip_steps, panel.grid);
    }
    if (options.half_scales)
      std::ranges::transform(panel.scales, panel.scales.begin(), to_half_scale);
    level.round(panel.w.data(), w.rows, panel.grid, panel.codes.data());
  });
  return std::move(quantizer).take();
}

struct Means {
  std::vector<double> of_rows;
  double share = 0;  // of all squares
};

Means means_of(const Matrix& w) {
  Means means{std::vector<double>(static_cast<std::size_t>(w.columns))};
  double squares = 0;
  for (std::int64_t i = 0; i < w.rows; ++i) {
    for (std::int64_t o = 0; o < w.columns; ++o) {
      const double value = w(i, o);
      means.of_rows[static_cast<std::size_t>(o)] += value;
      squares += value * value;
    }
  }
  const auto count = static_cast<double>(std::max<std::int64_t>(w.rows, 1));
  double of_means = 0;
  for (double& mean : means.of_rows) {
    mean /= count;
    of_means += mean * mean * count;
  }
  if (squares > 0) means.share = of_means / squares;
  return means;
}

// Σ (e - mean(e))² of each column of e = w - q.
std::vector<double> errors_of(const Matrix& w, const QuantizedMatrix& q) {
  const auto columns = static_cast<std::size_t>(w.columns);
  std::vector<double> sums(columns);
  std::vector<double> squares(columns);
  for (std::int64_t i = 0; i < w.rows; ++i) {
    for (std::int64_t o = 0; o < w.columns; ++o) {
      const std::size_t s = q.scale_index(i, o);
      const int zero = q.grid.symmetric ? q.grid.offset() : q.zero_points[s];
      const int code = q.codes[static_cast<std::size_t>(i * w.columns + o)] - zero;
      const double error = w(i, o) - static_cast<float>(code) * q.scales[s];
      sums[static_cast<std::size_t>(o)] += error;
      squares[static_cast<std::size_t>(o)] += error * error;
    }
  }
  const auto count = static_cast<double>(std::max<std::int64_t>(w.rows, 1));
  for (std::size_t o = 0; o < columns; ++o) squares[o] -= sums[o] * sums[o] / count;
  return squares;
}

// Column `o` of q becomes that of `from`.
void copy_column(const QuantizedMatrix& from, std::int64_t o, QuantizedMatrix& q) {
  const auto column = static_cast<std::size_t>(o);
  const auto step = static_cast<std::size_t>(q.out);
  for (std::size_t i = column; i < q.codes.size(); i += step) q.codes[i] = from.codes[i];
  for (std::size_t i = column; i < q.scales.size(); i += step) q.scales[i] = from.scales[i];
  for (std::size_t i = column; i < q.zero_points.size(); i += step) {
    q.zero_points[i] = from.zero_points[i];
  }
}

}  // namespace

QuantizedMatrix quantize_table(const WeightRef& table, const TableOptions& options,
                               ThreadPool& pool) {
  const Matrix w = to_matrix(table);
  QuantizedMatrix q = quantize(w, options, pool);
  const Means means = options.ignores_mean ? means_of(w) : Means{};
  if (means.share > kTrifle) {
    Matrix centred = w;
    for (std::int64_t i = 0; i < w.rows; ++i) {
      for (std::int64_t o = 0; o < w.columns; ++o) {
        centred(i, o) = static_cast<float>(w(i, o) - means.of_rows[static_cast<std::size_t>(o)]);
      }
    }
    const QuantizedMatrix other = quantize(centred, options, pool);
    const std::vector<double> error = errors_of(w, q);
    const std::vector<double> other_error = errors_of(w, other);
    for (std::int64_t o = 0; o < w.columns; ++o) {
      const auto column = static_cast<std::size_t>(o);
      if (other_error[column] < error[column]) copy_column(other, o, q);
    }
  }
  return with_layout(std::move(q), table.layout);
}

namespace {

// The largest magnitude; compared as integers, which is the same order and fast. Not of NaN.
float largest_magnitude(std::span<const float> values) {
  std::int32_t largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::bit_cast<std::int32_t>(value) & 0x7fffffff);
  }
  return std::bit_cast<float>(largest);
}

// Every row's own scale is a normal half, or the row is zero.
bool rows_suit_half_scales(const WeightRef& table, const Grid& grid) {
  std::vector<float> row(static_cast<std::size_t>(table.in));
  const auto limit = static_cast<float>(grid.symmetric_limit());
  for (std::int64_t o = 0; o < table.out; ++o) {
    read_weights(table, o * table.in, row);
    const float largest = largest_magnitude(row);
    if (largest > kLargestInHalf || (largest > 0 && largest / limit < kSmallestHalf)) return false;
  }
  return true;
}

}  // namespace

bool suits_half_scales(const WeightRef& table, const Grid& grid) {
  if (grid.symmetric && grid.group == 0) return rows_suit_half_scales(table, grid);
  constexpr float kStepsBelow = 16;
  constexpr std::int64_t kBlock = 4096;
  std::array<float, kBlock> buffer{};
  float largest = 0;
  const std::int64_t count = table.in * table.out;
  for (std::int64_t at = 0; at < count; at += kBlock) {
    const std::span values(buffer.data(), static_cast<std::size_t>(std::min(kBlock, count - at)));
    read_weights(table, at, values);
    largest = std::max(largest, largest_magnitude(values));
  }
  const auto steps = static_cast<float>(1 << grid.bits);
  return largest <= kLargestInHalf && largest >= kSmallestHalf * steps * kStepsBelow;
}

}  // namespace onnxpress
