// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calib/moments.h"
#include "numerics/matrix.h"
#include "passes/pass.h"

namespace onnxpress {

// What a head reads: moments, and some of the held-out rows themselves, for the divergence.
struct HeadRows {
  StageMoments moments;
  Matrix edited, original;  // [rows, in], held out, at most kMostRows
  static constexpr std::int64_t kMostRows = 1024;
};
[[nodiscard]] HeadRows observe_head(StagedRun& run, const Model& edited, ValueId input,
                                    ThreadPool& pool);

// A head's weight [in, out] and what its bias grows by, [out] or empty. Solved on all rows; the
// figures are of weights that were solved without the held-out rows, on these.
struct FittedHead {
  Matrix w;
  std::vector<float> bias_change;
  double ridge = 0;                     // infinite where only the bias moves
  double before = 0, after = 0;         // ‖logits - original's‖ / ‖original's‖
  std::optional<double> kl_before, kl;  // see head_divergence
};

// The weights that bring X̃·W' + b' closest to the original's logits X·W + b, by least squares with
// a ridge towards W; `ridge` below 0 is searched on held-out rows. Nothing where no other weights
// are closer on held-out rows, or where the divergence would grow.
[[nodiscard]] std::optional<FittedHead> fit_head(const HeadRows& rows, const Matrix& w,
                                                 std::span<const float> bias, bool own_bias,
                                                 double ridge, ThreadPool& pool);

// Mean KL(softmax(X·W + b) ‖ softmax(X̃·Q + b + change)) over the rows that were kept, in nats;
// nothing where there is one logit only, or no row.
[[nodiscard]] std::optional<double> head_divergence(const HeadRows& rows, const Matrix& w,
                                                    const Matrix& q, std::span<const float> bias,
                                                    std::span<const float> change,
                                                    ThreadPool& pool);

}  // namespace onnxpress
