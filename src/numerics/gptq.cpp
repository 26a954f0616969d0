// SPDX-License-Identifier: Apache-2.0
#include "numerics/gptq.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "numerics/dense/level.h"
#include "numerics/panel_quantizer.h"
#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

using dense::kPanel;

constexpr std::int64_t kRows = 128;   // that a thread fills at a time
constexpr double kTinyEnergy = 1e-6;  // of the mean
constexpr double kMostDamping = 1e6;  // what needs more is no Gram

std::vector<double> diagonal_of(const Gram& gram) {
  std::vector<double> diagonal(static_cast<std::size_t>(gram.size));
  for (std::int64_t j = 0; j < gram.size; ++j) {
    diagonal[static_cast<std::size_t>(j)] = gram.at(j, j) / static_cast<double>(gram.rows);
  }
  return diagonal;
}

}  // namespace

GptqFactor factor_for_gptq(const Gram& gram, const GptqOptions& options, ThreadPool& pool) {
  const std::int64_t k = gram.size;
  const auto size = static_cast<std::size_t>(k);
  GptqFactor factor;
  factor.size = k;
  std::vector<double> diagonal = gram.rows > 0 ? diagonal_of(gram) : std::vector<double>(size);
  double mean = std::accumulate(diagonal.begin(), diagonal.end(), 0.0) /
                static_cast<double>(std::max<std::int64_t>(k, 1));
  const auto finite = [](double x) { return std::isfinite(x); };
  const bool usable = mean > 0 && finite(mean) && std::ranges::all_of(gram.xx, finite);
  if (!usable) {
    std::ranges::fill(diagonal, 1.0);
    mean = 1;
  }
  // Scaled to a mean of one, so that no energy is too large or too small for a float.
  const double unit = usable ? 1 / (mean * static_cast<double>(gram.rows)) : 0;
  factor.energy.resize(size);
  for (std::size_t j = 0; j < size; ++j) {
    factor.energy[j] = static_cast<float>(std::max(diagonal[j] / mean, kTinyEnergy));
  }
  factor.order.resize(size);
  std::iota(factor.order.begin(), factor.order.end(), 0);
  if (options.activation_order) {
    std::ranges::stable_sort(factor.order, [&](std::int32_t a, std::int32_t b) {
      return diagonal[static_cast<std::size_t>(a)] > diagonal[static_cast<std::size_t>(b)];
    });
  }
  factor.upper.resize(size * size);
  std::vector<double> work(size * size);
  for (double damping = options.damping;; damping = std::max(damping * 4, 0.01)) {
    pool.parallel_for(k, kRows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t from = factor.order[static_cast<std::size_t>(i)];
        for (std::int64_t j = 0; j < k; ++j) {
          const std::int64_t other = factor.order[static_cast<std::size_t>(j)];
          double value = usable ? gram.at(from, other) * unit : 0;
          if (i == j) value = factor.energy[static_cast<std::size_t>(from)] + damping;
          work[static_cast<std::size_t>(i * k + j)] = value;
        }
      }
    });
    if (dense::level().inverse_factor(work.data(), k, factor.upper.data(), pool)) {
      factor.damping = damping;
      break;
    }
    if (damping > kMostDamping) return factor_for_gptq(Gram(k), options, pool);
  }
  work = {};
  factor.gram.resize(size * size);
  pool.parallel_for(k, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t j = 0; j < k; ++j) {
        const double value = usable ? gram.at(i, j) * unit : 0;
        factor.gram[static_cast<std::size_t>(i * k + j)] = static_cast<float>(
            i == j ? factor.energy[static_cast<std::size_t>(i)] + factor.damping : value);
      }
    }
  });
  return factor;
}

GptqResult quantize_gptq(const Matrix& w, const GptqFactor& factor, const Grid& grid,
                         const GptqOptions& options, ThreadPool& pool) {
  return quantize_gptq_in_ranges(
      w, factor, quantize_clipped(w, factor.energy, grid, options.clip_steps, pool), options, pool);
}

GptqResult quantize_gptq_in_ranges(const Matrix& w, const GptqFactor& factor,
                                   const QuantizedMatrix& ranges, const GptqOptions& options,
                                   ThreadPool& pool) {
  PanelQuantizer quantizer(w, ranges, pool);
  const dense::Level& level = dense::level();
  std::vector<double> losses(static_cast<std::size_t>(w.columns));
  quantizer.for_each([&](PanelQuantizer::Panel& panel) {
    double loss[kPanel];
    std::vector<float> left = panel.w;
    level.gptq(left.data(), factor.upper.data(), factor.order.data(), w.rows, panel.grid,
               panel.codes.data(), loss);
    if (options.refine_sweeps > 0) {
      level.refine(panel.w.data(), factor.gram.data(), w.rows, options.refine_sweeps, panel.grid,
                   panel.codes.data());
    }
    std::copy_n(loss, panel.columns, losses.begin() + panel.first);
  });
  const double loss = std::accumulate(losses.begin(), losses.end(), 0.0);
  return {std::move(quantizer).take(), loss};
}

QuantizedMatrix quantize_clipped(const Matrix& w, std::span<const float> energy, const Grid& grid,
                                 int clip_steps, ThreadPool& pool) {
  if (clip_steps == 0) return quantize_rtn(weight_ref(w), grid, pool);
  PanelQuantizer quantizer(w, quantize_rtn(weight_ref(w), grid, pool), pool);
  const dense::Level& level = dense::level();
  quantizer.for_each([&](PanelQuantizer::Panel& panel) {
    level.search_grid(panel.w.data(), energy.empty() ? nullptr : energy.data(), w.rows, clip_steps,
                      panel.grid);
    level.round(panel.w.data(), w.rows, panel.grid, panel.codes.data());
  });
  return std::move(quantizer).take();
}

}  // namespace onnxpress
