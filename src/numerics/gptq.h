// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "numerics/gram.h"
#include "numerics/matrix.h"

namespace onnxpress {

struct GptqOptions {
  double damping = 0.01;         // added to the Gram's diagonal, as a share of its mean
  bool activation_order = true;  // inputs of high energy first
  int clip_steps = 40;    // ranges tried for each group, weighted by the inputs' energy; 0: full
  int refine_sweeps = 2;  // of scales, then codes, one coordinate at a time
};

// The Gram of a layer's input, factored once for all the weights that it meets.
struct GptqFactor {
  std::int64_t size = 0;
  double damping = 0;               // as it had to be, at least what was asked for
  std::vector<std::int32_t> order;  // of the inputs
  std::vector<float> upper;         // U with (H + damping)⁻¹ = UᵀU in that order, [size, size]
  std::vector<float> gram;    // the damped Gram in the model's order, [size, size], mean over rows
  std::vector<float> energy;  // its diagonal without damping, at least a tiny share of the mean
};

// The damping is raised step by step until the Gram can be factored. One without any energy (an
// input that is always zero), with numbers that are not finite, or that no sane damping helps,
// counts as the identity.
[[nodiscard]] GptqFactor factor_for_gptq(const Gram& gram, const GptqOptions& options,
                                         ThreadPool& pool);

struct GptqResult {
  QuantizedMatrix q;  // layout in_out
  double loss = 0;    // summed by the loop: tr((W-Q)ᵀH(W-Q)) with the damped H, before refinement
};

// Rounds W [in, out] to the grid, one input at a time, and spreads each input's rounding errors
// over the inputs still to come, so that tr((W-Q)ᵀH(W-Q)) stays small (GPTQ, Frantar et al. 2022,
// algorithm 1). Scales are set before the loop, so that the order of the inputs needs no index at
// run time ("static groups"). With refinement, scales then codes are moved to the minimum with all
// others fixed, which never makes the trace larger but for rounding.
// Throws Error: bad_option (grid), tensor_malformed (a weight is NaN or infinite).
[[nodiscard]] GptqResult quantize_gptq(const Matrix& w, const GptqFactor& factor, const Grid& grid,
                                       const GptqOptions& options, ThreadPool& pool);
// The same with the scales and zero points of `ranges` (layout in_out), whose search is then not
// repeated.
[[nodiscard]] GptqResult quantize_gptq_in_ranges(const Matrix& w, const GptqFactor& factor,
                                                 const QuantizedMatrix& ranges,
                                                 const GptqOptions& options, ThreadPool& pool);

// The nearest points of grids whose ranges are searched: Σ_j energy_j (w_j - q_j)² is at most that
// of quantize_rtn(). energy [in], or empty for all ones.
[[nodiscard]] QuantizedMatrix quantize_clipped(const Matrix& w, std::span<const float> energy,
                                               const Grid& grid, int clip_steps, ThreadPool& pool);

}  // namespace onnxpress
