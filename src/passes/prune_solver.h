// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "calib/moments.h"
#include "numerics/sparsity.h"
#include "passes/pass.h"

namespace onnxpress {

enum class PruneMethod {
  magnitude,  // the smallest weights
  wanda,      // those of the smallest |w|·‖x‖
  sparsegpt,  // those whose loss the others can make up for, and they do
};
[[nodiscard]] std::string_view name(PruneMethod method);

struct PruneOptions {
  PruneMethod method = PruneMethod::magnitude;
  SparsityPattern pattern;
  int refine_sweeps = 2;  // of sparsegpt, over the weights that are left
  bool refit = true;      // of sparsegpt: try weights refitted to the original's outputs
  double refit_strength = 0.1;
  bool bias = true;  // try to move the mean error into the bias
};

struct PrunedWeight {
  Matrix w;
  std::vector<float> bias_change;  // [out]; empty where the bias stays
  std::string way;                 // "2:4, sparsegpt, bias corrected"
  UnitFigures figures;
};

// w [in, out] with zeros. With moments, magnitude and the method are solved on the training rows,
// and what lies closest to the original's output on held-out rows is taken. Without (nullptr):
// magnitude.
[[nodiscard]] PrunedWeight prune(const Matrix& w, bool own_bias, const StageMoments* moments,
                                 const PruneOptions& options, ThreadPool& pool);

}  // namespace onnxpress
