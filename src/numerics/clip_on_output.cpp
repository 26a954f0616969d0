// SPDX-License-Identifier: Apache-2.0
#include "numerics/clip_on_output.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <utility>
#include <vector>

#include "numerics/dense/level.h"
#include "numerics/panel_quantizer.h"
#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

using dense::kPanel;

constexpr float kLeastShare = 0.5F;  // of the whole range
using Columns = std::array<float, static_cast<std::size_t>(kPanel)>;

// The rows of one group in a panel, and its block of the Gram.
class GroupSearch {
 public:
  GroupSearch(PanelQuantizer::Panel& panel, std::span<const float> gram, std::int64_t k,
              std::int64_t begin)
      : panel_(panel),
        begin_(begin),
        rows_(std::min(panel.grid.group, k - begin)),
        block_(static_cast<std::size_t>(rows_ * rows_)),
        error_(static_cast<std::size_t>(rows_ * kPanel)),
        turned_(error_.size()) {
    for (std::int64_t i = 0; i < rows_; ++i) {
      std::copy_n(gram.data() + (begin + i) * k + begin, rows_, block_.data() + i * rows_);
    }
  }

  void run(int steps) {
    const std::int64_t at = begin_ / panel_.grid.group * kPanel;
    float* scale = panel_.scales.data() + at;
    float* zero = panel_.zeros.data() + at;
    Columns full{};
    Columns full_zero{};
    std::copy_n(scale, kPanel, full.data());
    std::copy_n(zero, kPanel, full_zero.data());
    Columns least = energy(full, full_zero);
    for (int step = 1; step <= steps; ++step) {
      const float share =
          1 - (1 - kLeastShare) * static_cast<float>(step) / static_cast<float>(steps);
      Columns shrunken{};
      for (std::size_t c = 0; c < shrunken.size(); ++c) {
        shrunken[c] = std::copysign(std::max(std::fabs(full[c] * share), FLT_MIN), full[c]);
      }
      // Both ends of the range shrink alike, so the zero point stays where it is.
      const Columns now = energy(shrunken, full_zero);
      for (std::size_t c = 0; c < now.size(); ++c) {
        if (!(now[c] < least[c])) continue;
        least[c] = now[c];
        scale[c] = shrunken[c];
      }
    }
  }

 private:
  // (w-q)ᵀH(w-q) of each column.
  Columns energy(const Columns& scale, const Columns& zero) {
    for (std::int64_t i = 0; i < rows_; ++i) {
      const float* w = panel_.w.data() + (begin_ + i) * kPanel;
      float* error = error_.data() + i * kPanel;
      for (std::size_t c = 0; c < scale.size(); ++c) {
        const float steps = std::clamp(w[c] / scale[c], -1024.0F, 1024.0F);
        const float code =
            std::clamp(std::nearbyint(steps) + zero[c], panel_.grid.lowest, panel_.grid.highest);
        error[c] = w[c] - (code - zero[c]) * scale[c];
      }
    }
    dense::level().multiply(block_.data(), error_.data(), turned_.data(), rows_, rows_, kPanel);
    Columns sums{};
    for (std::int64_t i = 0; i < rows_; ++i) {
      const float* error = error_.data() + i * kPanel;
      const float* turned = turned_.data() + i * kPanel;
      for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += error[c] * turned[c];
    }
    return sums;
  }

  PanelQuantizer::Panel& panel_;
  std::int64_t begin_, rows_;
  std::vector<float> block_, error_, turned_;
};

}  // namespace

QuantizedMatrix quantize_clipped_on_output(const Matrix& w, std::span<const float> gram,
                                           const Grid& grid, int steps, ThreadPool& pool) {
  PanelQuantizer quantizer(w, quantize_rtn(weight_ref(w), grid, pool), pool);
  if (steps == 0) return std::move(quantizer).take();
  const dense::Level& level = dense::level();
  quantizer.for_each([&](PanelQuantizer::Panel& panel) {
    for (std::int64_t begin = 0; begin < w.rows; begin += panel.grid.group) {
      GroupSearch(panel, gram, w.rows, begin).run(steps);
    }
    level.round(panel.w.data(), w.rows, panel.grid, panel.codes.data());
  });
  return std::move(quantizer).take();
}

}  // namespace onnxpress
