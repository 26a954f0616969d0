// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "numerics/gptq.h"
#include "numerics/sparsity.h"

namespace onnxpress {

struct SparseGptOptions {
  // Inputs whose weights are chosen together; of a pattern with groups the group alone counts.
  std::int64_t block = 128;
  int sweeps = 0;  // over the weights that are left, afterwards
};

struct SparseGptResult {
  Matrix w;  // zeros where the mask says so
  Mask mask;
  double loss =
      0;  // tr((W-Ŵ)ᵀH(W-Ŵ)) with the factor's damped H, as the loop counts it: before sweeps
};

// Sets weights to zero, one input at a time, and spreads each input's errors over the inputs still
// to come, so that tr((W-Ŵ)ᵀH(W-Ŵ)) stays small (SparseGPT, Frantar and Alistarh 2023): GPTQ's loop
// with a mask in the place of a grid. Of each block those of least w²/U_jj² are chosen, once the
// blocks before have been compensated for. The factor's inputs are in the order in which weights
// are decided; where the pattern has groups that must be the model's (activation_order = false).
// `sweeps` move each weight that is left to the minimum with all others fixed, which never makes
// the trace larger but for rounding. The result does not depend on the pool.
[[nodiscard]] SparseGptResult prune_sparse_gpt(const Matrix& w, const GptqFactor& factor,
                                               const SparsityPattern& pattern,
                                               const SparseGptOptions& options, ThreadPool& pool);

}  // namespace onnxpress
