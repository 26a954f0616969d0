// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <vector>

#include "numerics/dense/algebra.h"

// Grid search, rounding and GPTQ on panels. All loops over columns are over kPanel neighbours,
// which compilers turn into vector code.
namespace onnxpress::dense {
namespace {

// To the nearest integer, ties to even, for |x| < 2^22: the sum has no bits left for fractions.
inline float round_even(float x) {
  return static_cast<float>(std::bit_cast<std::int32_t>(x + 12582912.0F) - 0x4b400000);
}

inline float nearest_code(float w, float scale, float zero, const PanelGrid& grid) {
  const float steps = std::min(std::max(w / scale, -1024.0F), 1024.0F);
  return std::min(std::max(round_even(steps) + zero, grid.lowest), grid.highest);
}

inline float keep_normal(float scale) {
  const float size = std::min(std::max(std::fabs(scale), FLT_MIN), FLT_MAX / 512);
  return scale < 0 ? -size : size;
}

// Σ energy (w - q)² of rows [begin, end) for one scale and zero point a column.
inline void weighted_error(const float* w, const float* energy, std::int64_t begin,
                           std::int64_t end, const float* scale, const float* zero,
                           const PanelGrid& grid, float* error) {
  for (int c = 0; c < kPanel; ++c) error[c] = 0;
  for (std::int64_t j = begin; j < end; ++j) {
    const float weight = energy == nullptr ? 1 : energy[j];
    const float* row = w + j * kPanel;
    for (int c = 0; c < kPanel; ++c) {
      const float code = nearest_code(row[c], scale[c], zero[c], grid);
      const float difference = row[c] - (code - zero[c]) * scale[c];
      error[c] += weight * difference * difference;
    }
  }
}

void search_grid(const float* w, const float* energy, std::int64_t k, int steps,
                 const PanelGrid& grid) {
  constexpr float kSmallest = 0.4F;  // share of the range
  for (std::int64_t begin = 0, g = 0; begin < k; begin += grid.group, ++g) {
    const std::int64_t end = std::min(k, begin + grid.group);
    float low[kPanel] = {};
    for (std::int64_t j = begin; j < end; ++j) {
      for (int c = 0; c < kPanel; ++c) low[c] = std::min(low[c], w[j * kPanel + c]);
    }
    float* scale = grid.scales + g * kPanel;
    float* zero = grid.zeros + g * kPanel;
    float full[kPanel];
    float best[kPanel];
    std::copy(scale, scale + kPanel, full);
    weighted_error(w, energy, begin, end, scale, zero, grid, best);
    const auto consider = [&](const float* new_scale, const float* new_zero) {
      float error[kPanel];
      weighted_error(w, energy, begin, end, new_scale, new_zero, grid, error);
      for (int c = 0; c < kPanel; ++c) {
        const bool better = error[c] < best[c];
        best[c] = better ? error[c] : best[c];
        scale[c] = better ? new_scale[c] : scale[c];
        zero[c] = better ? new_zero[c] : zero[c];
      }
    };
    for (int step = 0; step <= steps; ++step) {
      const float share =
          1 - (1 - kSmallest) * static_cast<float>(step) / static_cast<float>(steps);
      float new_scale[kPanel];
      float new_zero[kPanel];
      for (int c = 0; c < kPanel; ++c) {
        new_scale[c] = keep_normal(full[c] * share);
        new_zero[c] =
            grid.symmetric
                ? (grid.highest + 1) / 2
                : std::min(
                      std::max(round_even(std::max(-low[c] * share / new_scale[c], 0.0F)), 0.0F),
                      grid.highest);
      }
      if (step > 0) consider(new_scale, new_zero);
      if (grid.symmetric) {
        if (!grid.signed_scales) continue;
        for (int c = 0; c < kPanel; ++c) new_scale[c] = -new_scale[c];
        consider(new_scale, new_zero);
        continue;
      }
      for (const float shift : {-1.0F, 1.0F}) {
        float moved[kPanel];
        for (int c = 0; c < kPanel; ++c) {
          moved[c] = std::min(std::max(new_zero[c] + shift, 0.0F), grid.highest);
        }
        consider(new_scale, moved);
      }
    }
  }
}

void round_panel(const float* w, std::int64_t k, const PanelGrid& grid, std::uint8_t* codes) {
  for (std::int64_t j = 0; j < k; ++j) {
    const float* scale = grid.scales + j / grid.group * kPanel;
    const float* zero = grid.zeros + j / grid.group * kPanel;
    for (int c = 0; c < kPanel; ++c) {
      codes[j * kPanel + c] =
          static_cast<std::uint8_t>(nearest_code(w[j * kPanel + c], scale[c], zero[c], grid));
    }
  }
}

void gptq_panel(float* w, const float* u, const std::int32_t* order, std::int64_t k,
                const PanelGrid& grid, std::uint8_t* codes, double* loss) {
  constexpr std::int64_t kBlock = 128;
  std::fill(loss, loss + kPanel, 0.0);
  RowMajor<float> left(k, kPanel);  // in the order of the loop
  for (std::int64_t i = 0; i < k; ++i) {
    std::copy_n(w + order[i] * kPanel, kPanel, left.data() + i * kPanel);
  }
  RowMajor<float> errors(kBlock, kPanel);
  for (std::int64_t begin = 0; begin < k; begin += kBlock) {
    const std::int64_t end = std::min(k, begin + kBlock);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t j = order[i];
      const float* scale = grid.scales + j / grid.group * kPanel;
      const float* zero = grid.zeros + j / grid.group * kPanel;
      const float* row = left.data() + i * kPanel;
      const float pivot = u[i * k + i];
      float* error = errors.data() + (i - begin) * kPanel;
      for (int c = 0; c < kPanel; ++c) {
        const float code = nearest_code(row[c], scale[c], zero[c], grid);
        codes[j * kPanel + c] = static_cast<std::uint8_t>(code);
        error[c] = (row[c] - (code - zero[c]) * scale[c]) / pivot;
      }
      for (int c = 0; c < kPanel; ++c) loss[c] += static_cast<double>(error[c]) * error[c];
      for (std::int64_t next = i + 1; next < end; ++next) {
        const float factor = u[i * k + next];
        float* target = left.data() + next * kPanel;
        for (int c = 0; c < kPanel; ++c) target[c] -= factor * error[c];
      }
    }
    if (end == k) break;
    left.bottomRows(k - end).noalias() -=
        ConstView<float>(u, k, k).block(begin, end, end - begin, k - end).transpose() *
        errors.topRows(end - begin);
  }
}

void refine_panel(const float* w, const float* h, std::int64_t k, int sweeps, bool move,
                  const PanelGrid& grid, std::uint8_t* codes) {
  const ConstView<float> gram(h, k, k);
  RowMajor<float> error(k, kPanel);  // w - q
  const auto scale_of = [&](std::int64_t j) { return grid.scales + j / grid.group * kPanel; };
  const auto zero_of = [&](std::int64_t j) { return grid.zeros + j / grid.group * kPanel; };
  RowMajor<float> pull;  // h · error
  const auto recompute = [&] {
    for (std::int64_t j = 0; j < k; ++j) {
      const float* scale = scale_of(j);
      const float* zero = zero_of(j);
      for (int c = 0; c < kPanel; ++c) {
        const auto code = static_cast<float>(codes[j * kPanel + c]);
        error(j, c) = w[j * kPanel + c] - (code - zero[c]) * scale[c];
      }
    }
    pull.noalias() = gram * error;
  };
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    recompute();
    for (std::int64_t begin = 0; begin < k; begin += grid.group) {
      const std::int64_t end = std::min(k, begin + grid.group);
      const std::int64_t count = end - begin;
      RowMajor<float> steps(count, kPanel);  // code - zero
      float* scale = grid.scales + begin / grid.group * kPanel;
      const float* zero = grid.zeros + begin / grid.group * kPanel;
      for (std::int64_t j = 0; j < count; ++j) {
        for (int c = 0; c < kPanel; ++c) {
          steps(j, c) = static_cast<float>(codes[(begin + j) * kPanel + c]) - zero[c];
        }
      }
      const RowMajor<float> turned = gram.block(begin, begin, count, count) * steps;
      float change[kPanel];
      for (int c = 0; c < kPanel; ++c) {
        const float energy = steps.col(c).dot(turned.col(c));
        const float wanted = steps.col(c).dot(pull.block(begin, c, count, 1).col(0));
        const float moved = energy > 0 ? scale[c] + wanted / energy : scale[c];
        const float ratio = moved / scale[c];
        const bool sane = ratio > 0.25F && ratio < 4 && std::fabs(moved) >= FLT_MIN;
        change[c] = sane ? moved - scale[c] : 0;
        scale[c] = sane ? moved : scale[c];
      }
      for (std::int64_t j = 0; j < count; ++j) {
        for (int c = 0; c < kPanel; ++c) steps(j, c) *= change[c];
      }
      pull.noalias() -= gram.middleCols(begin, count) * steps;
    }
    if (!move) continue;
    recompute();
    for (std::int64_t j = 0; j < k; ++j) {
      const float diagonal = h[j * k + j];
      if (!(diagonal > 0)) continue;
      const float* scale = scale_of(j);
      float change[kPanel];
      bool any = false;
      for (int c = 0; c < kPanel; ++c) {
        const auto code = static_cast<float>(codes[j * kPanel + c]);
        const float steps = pull(j, c) / diagonal / scale[c];
        const float bounded = std::min(std::max(steps, -255.0F), 255.0F);
        const float wanted =
            std::min(std::max(code + round_even(bounded), grid.lowest), grid.highest);
        change[c] = (wanted - code) * scale[c];
        codes[j * kPanel + c] = static_cast<std::uint8_t>(wanted);
        any |= wanted != code;
      }
      if (!any) continue;
      for (std::int64_t i = 0; i < k; ++i) {
        const float factor = h[j * k + i];
        float* row = pull.data() + i * kPanel;
        for (int c = 0; c < kPanel; ++c) row[c] -= factor * change[c];
      }
    }
  }
}

}  // namespace
}  // namespace onnxpress::dense
