// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "numerics/grid.h"
#include "numerics/matrix.h"
#include "numerics/smoothing.h"

namespace onnxpress {

// How an activation X is rounded to UINT8 for integer products with fixed ranges:
//
//   code = clamp(round(x / scale_j) + zero_j, 0, 255),  read as  step · (code - zero)
//
// The scale of a channel may differ from `step`: what is read is then X / s with s = scale / step,
// and the weights' rows are multiplied by s. Its zero point may differ from `zero`: what is read is
// then shifted by step · (zero_j - zero), a constant that the bias takes back.
struct ActivationGrid {
  float step = 1;
  std::uint8_t zero = 0;
  std::vector<float> scales;        // [channels]; empty: `step` for all
  std::vector<std::uint8_t> zeros;  // [channels]; empty: `zero` for all

  [[nodiscard]] bool per_channel() const { return !scales.empty(); }
  // s above: what a row of weights is multiplied by.
  [[nodiscard]] double factor(std::size_t channel) const {
    return scales.empty() ? 1 : static_cast<double>(scales[channel]) / static_cast<double>(step);
  }
  [[nodiscard]] bool shifts() const;
  friend bool operator==(const ActivationGrid&, const ActivationGrid&) = default;
};

// Rows [count, channels] of X → X / s.
void scale_rows(const ActivationGrid& grid, float* rows, std::int64_t count, std::int64_t channels);
// Rows of X → step · (code - zero_j), the rounded X / s.
void round_rows(const ActivationGrid& grid, float* rows, std::int64_t count, std::int64_t channels);
// What the bias must grow by where the grid shifts: Σ_j step · (zero - zero_j) · w'[j, ·], [out];
// w' as it is multiplied with, s included.
[[nodiscard]] std::vector<double> shift_in_output(const ActivationGrid& grid,
                                                  const Matrix& weights);

struct ActivationGridOptions {
  Grid weights{8, 0, true};
  bool per_channel = true;  // grids with a scale for each channel are tried, too
  bool shift = true;        // and with zero points that center each channel
  bool search = true;       // ranges narrower than all that was seen are tried, too
};

struct ActivationChoice {
  ActivationGrid grid;
  std::string way;   // "range × 0.8, strength 0.75, shifted"
  double plain = 0;  // ‖XW - Y‖/‖XW‖ on held-out rows with the whole range and one scale
  double after = 0;  // with what was chosen
};

// The grid of the input of `weights` [channels, outputs], the weights of all products that read it
// side by side. Candidates are the scales of find_scales() (SmoothQuant; OS+, Wei et al. 2023) with
// and without shift, with ranges cut to shares of what was seen; first compared by the expected
// error Σ_j ‖w_j‖²·E[(x_j - x̂_j)²] + E[x_j²]·‖Δw_j‖², the best few by the output's error on train
// rows. One scale for each channel is taken where it lowers the error of held-out rows.
[[nodiscard]] ActivationChoice choose_activation_grid(const SmoothingInput& x,
                                                      const Matrix& weights,
                                                      const ActivationGridOptions& options,
                                                      ThreadPool& pool);

}  // namespace onnxpress
