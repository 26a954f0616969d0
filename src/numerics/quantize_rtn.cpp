// SPDX-License-Identifier: Apache-2.0
#include "numerics/quantize_rtn.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <mutex>

#include <fmt/format.h>

#include "base/checked.h"
#include "base/error_codes.h"
#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kBlock = 512;  // weights that are handled at a time, contiguous in memory
constexpr std::int32_t kInfinityBits = 0x7f800000;

// Magnitudes are compared as integers: the order is the same for non-negative floats, NaN and
// infinity come out on top, and compilers turn it into vector code.
std::int32_t magnitude_bits(float x) {
  return std::bit_cast<std::int32_t>(x) & 0x7fffffff;
}

struct ScaleAndZero {
  float scale = 1;
  std::int32_t zero = 0;
};

// `low` and `high` enclose zero and the weights.
ScaleAndZero symmetric_scale(float low, float high, const Grid& grid) {
  const float magnitude = std::max(-low, high);
  if (magnitude == 0) return {1, grid.offset()};
  const auto limit = static_cast<float>(grid.symmetric_limit());
  float scale = std::max(magnitude / limit, FLT_MIN);
  if (std::isinf(scale * limit)) scale = std::nextafter(scale, 0.0F);
  // The farther side gets the negative codes, of which there is one more.
  if (grid.has_full_range() && high > -low) scale = -scale;
  return {scale, grid.offset()};
}

ScaleAndZero asymmetric_scale(float low, float high, const Grid& grid) {
  if (low == 0 && high == 0) return {};
  const int top = (1 << grid.bits) - 1;
  const double range = static_cast<double>(high) - static_cast<double>(low);
  const float scale =
      std::clamp(static_cast<float>(range / top), FLT_MIN, FLT_MAX / static_cast<float>(top));
  return {scale, std::clamp(static_cast<int>(std::lrint(-low / scale)), 0, top)};
}

class Rounder {
 public:
  Rounder(const WeightRef& w, const Grid& grid, QuantizedMatrix& q)
      : w_(w),
        grid_(grid),
        q_(q),
        group_(grid.group == 0 ? std::max<std::int64_t>(w.in, 1) : grid.group),
        top_((1 << grid.bits) - 1) {}

  // Columns [begin, end) of a matrix stored [in, out], at most kBlock of them.
  void round_columns(std::int64_t begin, std::int64_t end) const {
    const std::int64_t count = end - begin;
    float buffer[kBlock];
    float scales[kBlock];
    std::int32_t zeros[kBlock];
    for (std::int64_t group = 0; group < grid_.groups(w_.in); ++group) {
      const std::int64_t first = group * group_;
      const std::int64_t last = std::min(w_.in, first + group_);
      std::int32_t max_bits[kBlock] = {};
      float low[kBlock] = {};
      float high[kBlock] = {};
      for (std::int64_t row = first; row < last; ++row) {
        level_.widen_ranges(floats_at(w_, row * w_.out + begin, count, buffer), count, max_bits,
                            low, high);
      }
      for (std::int64_t i = 0; i < count; ++i) {
        if (max_bits[i] >= kInfinityBits) refuse_non_finite();
        const ScaleAndZero s = scale_of(max_bits[i], low[i], high[i]);
        scales[i] = s.scale;
        zeros[i] = s.zero;
        store(static_cast<std::size_t>(group * w_.out + begin + i), s);
      }
      for (std::int64_t row = first; row < last; ++row) {
        const std::int64_t at = row * w_.out + begin;
        level_.round_columns(floats_at(w_, at, count, buffer), count, scales, zeros, top_,
                             &q_.codes[static_cast<std::size_t>(at)]);
      }
    }
  }

  // The whole matrix with one scale.
  void round_all(ThreadPool& pool) const {
    constexpr std::int64_t kChunk = 64 * kBlock;
    std::int32_t max_bits = 0;
    float low = 0;
    float high = 0;
    std::mutex mutex;
    const auto count = static_cast<std::int64_t>(q_.codes.size());
    pool.parallel_for(count, kChunk, [&](std::int64_t begin, std::int64_t end) {
      const Range range = range_of(begin, end);
      const std::lock_guard lock(mutex);
      max_bits = std::max(max_bits, range.max_bits);
      low = std::min(low, range.low);
      high = std::max(high, range.high);
    });
    if (max_bits >= kInfinityBits) refuse_non_finite();
    const ScaleAndZero s = scale_of(max_bits, low, high);
    std::ranges::fill(q_.scales, s.scale);
    pool.parallel_for(count, kChunk,
                      [&](std::int64_t begin, std::int64_t end) { round_with(s, begin, end); });
  }

  // One row of a matrix stored [out, in].
  void round_row(std::int64_t row) const {
    for (std::int64_t group = 0; group < grid_.groups(w_.in); ++group) {
      const std::int64_t first = row * w_.in + group * group_;
      const std::int64_t last = row * w_.in + std::min(w_.in, (group + 1) * group_);
      const Range range = range_of(first, last);
      if (range.max_bits >= kInfinityBits) refuse_non_finite();
      const ScaleAndZero s = scale_of(range.max_bits, range.low, range.high);
      store(static_cast<std::size_t>(row * grid_.groups(w_.in) + group), s);
      round_with(s, first, last);
    }
  }

 private:
  // What weights [begin, end), in the order of storage, reach. `low` and `high` are 0 where the
  // grid does not ask for them.
  struct Range {
    std::int32_t max_bits = 0;
    float low = 0, high = 0;
  };
  [[nodiscard]] Range range_of(std::int64_t begin, std::int64_t end) const {
    float buffer[kBlock];
    Range range;
    for (std::int64_t at = begin; at < end; at += kBlock) {
      const std::int64_t count = std::min(kBlock, end - at);
      const UnalignedFloat* x = floats_at(w_, at, count, buffer);
      for (std::int64_t i = 0; i < count; ++i) {
        range.max_bits = std::max(range.max_bits, magnitude_bits(x[i]));
      }
      if (grid_.symmetric && !grid_.has_full_range()) continue;
      for (std::int64_t i = 0; i < count; ++i) {
        range.low = std::min(range.low, x[i]);
        range.high = std::max(range.high, x[i]);
      }
    }
    return range;
  }

  // Rounds them, all with that scale.
  void round_with(ScaleAndZero s, std::int64_t begin, std::int64_t end) const {
    float buffer[kBlock];
    for (std::int64_t at = begin; at < end; at += kBlock) {
      const std::int64_t count = std::min(kBlock, end - at);
      level_.round_block(floats_at(w_, at, count, buffer), count, s.scale, s.zero, top_,
                         &q_.codes[static_cast<std::size_t>(at)]);
    }
  }

  [[nodiscard]] ScaleAndZero scale_of(std::int32_t max_bits, float low, float high) const {
    if (!grid_.symmetric) return asymmetric_scale(low, high, grid_);
    if (grid_.has_full_range()) return symmetric_scale(low, high, grid_);
    return symmetric_scale(0, std::bit_cast<float>(max_bits), grid_);
  }
  void store(std::size_t at, ScaleAndZero s) const {
    q_.scales[at] = s.scale;
    if (!grid_.symmetric) q_.zero_points[at] = static_cast<std::uint8_t>(s.zero);
  }
  [[noreturn]] static void refuse_non_finite() {
    throw Error(codes::tensor_malformed, "a weight is NaN or infinite",
                "leave this unit out with exclude, or export the model again");
  }

  const WeightRef& w_;
  const Grid& grid_;
  QuantizedMatrix& q_;
  std::int64_t group_;
  std::int32_t top_;
  const dense::Level& level_ = dense::level();
};

}  // namespace

std::optional<std::int64_t> find_non_finite(const WeightRef& w, ThreadPool& pool) {
  constexpr std::int64_t kChunk = 64 * kBlock;
  std::mutex mutex;
  std::optional<std::int64_t> found;
  const std::int64_t count = w.in * w.out;
  pool.parallel_for(count, kChunk, [&](std::int64_t begin, std::int64_t end) {
    float buffer[kBlock];
    for (std::int64_t at = begin; at < end; at += kBlock) {
      const std::int64_t block = std::min(kBlock, end - at);
      const UnalignedFloat* x = floats_at(w, at, block, buffer);
      std::int32_t max_bits = 0;
      for (std::int64_t i = 0; i < block; ++i) max_bits = std::max(max_bits, magnitude_bits(x[i]));
      if (max_bits < kInfinityBits) continue;
      const auto* place =
          std::find_if(x, x + block, [](float v) { return magnitude_bits(v) >= kInfinityBits; });
      const std::lock_guard lock(mutex);
      found = std::min(found.value_or(count), at + (place - x));
      return;
    }
  });
  return found;
}

QuantizedMatrix quantize_rtn(const WeightRef& w, const Grid& grid, ThreadPool& pool) {
  check(grid);
  if (grid.float_zeros) {
    throw Error(codes::bad_option, "rounding to nearest finds no float zero points");
  }
  const auto count = checked_mul(w.in, w.out);
  if (w.in < 0 || w.out < 0 || !count) {
    throw Error(codes::tensor_size, fmt::format("a weight of {} × {} elements", w.in, w.out));
  }
  QuantizedMatrix q{grid, w.in, w.out, w.layout, {}, {}, {}};
  q.codes.resize(static_cast<std::size_t>(*count));
  q.scales.resize(static_cast<std::size_t>(grid.groups(w.in) * w.out), 1.0F);
  if (!grid.symmetric) q.zero_points.resize(q.scales.size());
  const Rounder rounder(w, grid, q);
  try {
    if (grid.per_tensor) {
      rounder.round_all(pool);
    } else if (w.layout == MatrixLayout::in_out) {
      pool.parallel_for(w.out, kBlock, [&](std::int64_t begin, std::int64_t end) {
        rounder.round_columns(begin, end);
      });
    } else {
      const std::int64_t rows =
          std::max<std::int64_t>(1, 64 * kBlock / std::max<std::int64_t>(w.in, 1));
      pool.parallel_for(w.out, rows, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) rounder.round_row(row);
      });
    }
  } catch (const Error&) {
    const auto place = find_non_finite(w, pool);
    if (!place) throw;
    throw Error(codes::tensor_malformed,
                fmt::format("the weight at [{}, {}] is NaN or infinite", *place / w.columns(),
                            *place % w.columns()),
                "leave this unit out with exclude, or export the model again");
  }
  return q;
}

}  // namespace onnxpress
