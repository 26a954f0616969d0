// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "numerics/grid.h"
#include "numerics/matrix.h"

namespace onnxpress {

enum class SmoothingMethod {
  smoothquant,  // inputs rounded to 8 bits with one range a tensor, and weights to the grid
  awq,          // weights rounded to the grid, inputs stay in float
};

// What the input X of some products looks like, seen on data or expected (no rows then).
struct SmoothingInput {
  std::int64_t channels = 0;
  std::vector<float> batch_min, batch_max;  // of each batch, padding included: [batches, channels]
  std::vector<double> energy;               // mean of x², [channels]
  std::vector<double> mean_abs;             // mean of |x|, [channels]
  Matrix train, held_out;                   // some rows: to search on, and to judge by
};

// X·W for all weights that read X, side by side, and the scale that each of X's channels takes:
// several may take the same.
struct SmoothedProduct {
  const SmoothingInput* input = nullptr;
  std::vector<std::int32_t> scale_of;  // [channels]
  Matrix weights;                      // [channels, outputs]
};

struct SmoothingOptions {
  SmoothingMethod method = SmoothingMethod::smoothquant;
  double strength = -1;  // the exponent a below; negative: searched
  Grid grid;             // of the weights
};

// Scales that make X/s and sW better to quantize than X and W.
struct Smoothing {
  std::vector<float> scales;  // positive; empty where none lowers the error on held-out rows
  std::string way;            // "strength 0.75", "threshold 0.146"
  double before = 0;          // ‖XW - Y‖/‖XW‖ on held-out rows, Y quantized without scales
  double after = 0;           // with the scales that were found best, kept or not
};

// Searches `count` scales:
//   smoothquant  s = max|x|ᵃ / max|w|¹⁻ᵃ (SmoothQuant, Xiao et al. 2022), a in steps of 0.05, and
//                s = max(f, max|x|/t) with 24 thresholds t, where f is 1 (OS+, Wei et al. 2023)
//                or √(rms(x)/rms(w)), which balances the rounding of inputs and weights. Compared
//                by the expected error Σ s²‖w‖²Δ²/12 + Σ E[x²]‖w - q/s‖², Δ from the mean range of
//                batches;
//   awq          s = E|x|ᵃ (AWQ, Lin et al. 2023), compared by ‖X(W - Q/s)‖ on the train rows.
// The best is kept if it lowers the error of quantizing held-out rows (train rows where there are
// none, the expected error where there are no rows at all). The result does not depend on the pool.
// Throws what quantize_rtn() throws.
[[nodiscard]] Smoothing find_scales(std::span<const SmoothedProduct> products, std::int64_t count,
                                    const SmoothingOptions& options, ThreadPool& pool);

}  // namespace onnxpress
