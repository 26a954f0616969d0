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

inline float clamped_code(float steps, float zero, const PanelGrid& grid) {
  const float bounded = std::min(std::max(steps, -1024.0F), 1024.0F);
  return std::min(std::max(round_even(bounded) + zero, grid.lowest), grid.highest);
}

inline float nearest_code(float w, float scale, float zero, const PanelGrid& grid) {
  return clamped_code(w / scale, zero, grid);
}

inline float keep_normal(float scale) {
  const float size = std::min(std::max(std::fabs(scale), FLT_MIN), FLT_MAX / 512);
  return scale < 0 ? -size : size;
}

// Σ energy (w - q)² of rows [begin, end) for one scale and zero point a column. Ties may fall to
// either side, which costs the same: a product with 1/scale is much faster than a quotient.
inline void weighted_error(const float* w, const float* energy, std::int64_t begin,
                           std::int64_t end, const float* scale, const float* zero,
                           const PanelGrid& grid, float* error) {
  float inverse[kPanel];
  for (int c = 0; c < kPanel; ++c) {
    error[c] = 0;
    inverse[c] = 1 / scale[c];
  }
  for (std::int64_t j = begin; j < end; ++j) {
    const float weight = energy == nullptr ? 1 : energy[j];
    const float* row = w + j * kPanel;
    for (int c = 0; c < kPanel; ++c) {
      const float code = clamped_code(row[c] * inverse[c], zero[c], grid);
      const float difference = row[c] - (code - zero[c]) * scale[c];
      error[c] += weight * difference * difference;
    }
  }
}

// The search for the grids of one group of a panel, each column for itself.
class GroupSearch {
 public:
  GroupSearch(const float* w, const float* energy, std::int64_t begin, std::int64_t end,
              const PanelGrid& grid)
      : w_(w), energy_(energy), begin_(begin), end_(end), grid_(grid) {
    const std::int64_t first = begin / grid.group * kPanel;
    scale_ = grid.scales + first;
    zero_ = grid.zeros + first;
    std::copy(scale_, scale_ + kPanel, full_);
    std::fill(share_, share_ + kPanel, 1.0F);
    for (std::int64_t j = begin; j < end; ++j) {
      for (int c = 0; c < kPanel; ++c) low_[c] = std::min(low_[c], w[j * kPanel + c]);
    }
    weighted_error(w, energy, begin, end, scale_, zero_, grid, best_);
  }

  // Tries these shares of the full range, one a column, with zero points moved by `shift`.
  void consider(const float* share, float shift, bool negative = false) {
    float scale[kPanel];
    float zero[kPanel];
    for (int c = 0; c < kPanel; ++c) {
      scale[c] = keep_normal(full_[c] * share[c]);
      const float nearest = round_even(std::max(-low_[c] * share[c] / scale[c], 0.0F));
      zero[c] = grid_.symmetric ? (grid_.highest + 1) / 2
                                : std::min(std::max(nearest + shift, 0.0F), grid_.highest);
      scale[c] = negative ? -scale[c] : scale[c];
    }
    float error[kPanel];
    weighted_error(w_, energy_, begin_, end_, scale, zero, grid_, error);
    for (int c = 0; c < kPanel; ++c) {
      const bool better = error[c] < best_[c];
      best_[c] = better ? error[c] : best_[c];
      scale_[c] = better ? scale[c] : scale_[c];
      zero_[c] = better ? zero[c] : zero_[c];
      share_[c] = better ? share[c] : share_[c];
    }
  }
  [[nodiscard]] const float* share() const { return share_; }  // of the best

 private:
  const float* w_;
  const float* energy_;
  std::int64_t begin_, end_;
  const PanelGrid& grid_;
  float* scale_;
  float* zero_;
  float full_[kPanel], share_[kPanel], best_[kPanel];
  float low_[kPanel] = {};
};

void search_grid(const float* w, const float* energy, std::int64_t k, int steps,
                 const PanelGrid& grid) {
  constexpr float kSmallest = 0.4F;  // share of the range
  constexpr int kCoarse = 4;         // fine steps in a coarse one
  const float step = (1 - kSmallest) / static_cast<float>(steps);
  const bool signs = grid.symmetric && grid.signed_scales;
  for (std::int64_t begin = 0; begin < k; begin += grid.group) {
    GroupSearch search(w, energy, begin, std::min(k, begin + grid.group), grid);
    const auto consider = [&](const float* share, bool all_zeros) {
      for (const float shift : {0.0F, -1.0F, 1.0F}) {
        search.consider(share, shift);
        if (grid.symmetric || !all_zeros) break;
      }
      if (signs) search.consider(share, 0, true);
    };
    float share[kPanel];
    for (int i = 0; i <= steps; i += kCoarse) {
      std::fill(share, share + kPanel, 1 - step * static_cast<float>(i));
      consider(share, false);
    }
    float middle[kPanel];
    std::copy_n(search.share(), kPanel, middle);
    for (int i = 1 - kCoarse; i < kCoarse; ++i) {
      for (int c = 0; c < kPanel; ++c) {
        share[c] = std::min(middle[c] + step * static_cast<float>(i), 1.0F);
      }
      consider(share, true);
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

// Coordinate descent on tr(EᵀHE), E = W - Q.
class Refinement {
 public:
  Refinement(const float* w, const float* h, std::int64_t k, const PanelGrid& grid,
             std::uint8_t* codes)
      : gram_(h, k, k), k_(k), grid_(grid), codes_(codes) {
    RowMajor<float> error(k, kPanel);
    for (std::int64_t j = 0; j < k; ++j) {
      const float* scale = scale_of(j);
      const float* zero = zero_of(j);
      for (int c = 0; c < kPanel; ++c) {
        const auto code = static_cast<float>(codes[j * kPanel + c]);
        error(j, c) = w[j * kPanel + c] - (code - zero[c]) * scale[c];
      }
    }
    pull_.noalias() = gram_ * error;
  }

  // `last`: nothing asks for the pull on earlier inputs any more.
  void sweep(bool last) {
    for (std::int64_t begin = 0; begin < k_; begin += grid_.group) {
      const std::int64_t end = std::min(k_, begin + grid_.group);
      RowMajor<float> moved = move_scales(begin, end);
      if (end - begin > kBlock) {
        add_to_pull(begin, moved, 0, k_);
        moved.setZero();
      } else {
        add_to_pull(begin, moved, begin, end);
      }
      for (std::int64_t first = begin; first < end; first += kBlock) {
        const std::int64_t after = std::min(end, first + kBlock);
        RowMajor<float> part = moved.middleRows(first - begin, after - first);
        move_codes(first, after, part);
        if (!last) add_to_pull(first, part, 0, first);
        add_to_pull(first, part, after, k_);
      }
    }
  }

 private:
  static constexpr std::int64_t kBlock = 64;  // inputs whose changes wait for one product

  [[nodiscard]] float* scale_of(std::int64_t j) const {
    return grid_.scales + j / grid_.group * kPanel;
  }
  [[nodiscard]] const float* zero_of(std::int64_t j) const {
    return grid_.zeros + j / grid_.group * kPanel;
  }

  // Rows [from, to) of the pull, after rows of Q from `begin` on have moved.
  void add_to_pull(std::int64_t begin, const RowMajor<float>& moved, std::int64_t from,
                   std::int64_t to) {
    if (from >= to) return;
    pull_.middleRows(from, to - from).noalias() -=
        gram_.block(from, begin, to - from, moved.rows()) * moved;
  }

  // What the rows of Q of one group move by.
  RowMajor<float> move_scales(std::int64_t begin, std::int64_t end) {
    const std::int64_t count = end - begin;
    float* scale = scale_of(begin);
    const float* zero = zero_of(begin);
    RowMajor<float> steps(count, kPanel);  // code - zero
    for (std::int64_t j = 0; j < count; ++j) {
      for (int c = 0; c < kPanel; ++c) {
        steps(j, c) = static_cast<float>(codes_[(begin + j) * kPanel + c]) - zero[c];
      }
    }
    const RowMajor<float> turned = gram_.block(begin, begin, count, count) * steps;
    float energy[kPanel] = {};
    float wanted[kPanel] = {};
    for (std::int64_t j = 0; j < count; ++j) {
      const float* pull = pull_.data() + (begin + j) * kPanel;
      for (int c = 0; c < kPanel; ++c) {
        energy[c] += steps(j, c) * turned(j, c);
        wanted[c] += steps(j, c) * pull[c];
      }
    }
    float change[kPanel];
    for (int c = 0; c < kPanel; ++c) {
      const float moved = energy[c] > 0 ? scale[c] + wanted[c] / energy[c] : scale[c];
      const float ratio = moved / scale[c];
      const bool sane = ratio > 0.25F && ratio < 4 && std::fabs(moved) >= FLT_MIN;
      change[c] = sane ? moved - scale[c] : 0;
      scale[c] = sane ? moved : scale[c];
    }
    for (std::int64_t j = 0; j < count; ++j) {
      for (int c = 0; c < kPanel; ++c) steps(j, c) *= change[c];
    }
    return steps;
  }

  // Adds what the rows of Q move by to `moved`, and keeps the pull on these rows up to date.
  void move_codes(std::int64_t begin, std::int64_t end, RowMajor<float>& moved) {
    for (std::int64_t j = begin; j < end; ++j) {
      const float* row = gram_.data() + j * k_;
      const float diagonal = row[j];
      if (!(diagonal > 0)) continue;
      const float* scale = scale_of(j);
      const float* pull = pull_.data() + j * kPanel;
      std::uint8_t* codes = codes_ + j * kPanel;
      float change[kPanel];
      for (int c = 0; c < kPanel; ++c) {
        const auto code = static_cast<float>(codes[c]);
        const float steps = pull[c] / diagonal / scale[c];
        const float bounded = std::min(std::max(steps, -255.0F), 255.0F);
        const float wanted =
            std::min(std::max(code + round_even(bounded), grid_.lowest), grid_.highest);
        change[c] = (wanted - code) * scale[c];
        codes[c] = static_cast<std::uint8_t>(wanted);
      }
      for (int c = 0; c < kPanel; ++c) moved(j - begin, c) += change[c];
      for (std::int64_t i = begin; i < end; ++i) {
        float* target = pull_.data() + i * kPanel;
        for (int c = 0; c < kPanel; ++c) target[c] -= row[i] * change[c];
      }
    }
  }

  ConstView<float> gram_;
  std::int64_t k_;
  const PanelGrid& grid_;
  std::uint8_t* codes_;
  RowMajor<float> pull_;  // H·E
};

void refine_panel(const float* w, const float* h, std::int64_t k, int sweeps, const PanelGrid& grid,
                  std::uint8_t* codes) {
  Refinement refinement(w, h, k, grid, codes);
  for (int sweep = 0; sweep < sweeps; ++sweep) refinement.sweep(sweep + 1 == sweeps);
}

}  // namespace
}  // namespace onnxpress::dense
