// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "calib/moments.h"
#include "numerics/gptq.h"
#include "numerics/output_error.h"
#include "numerics/quantized_matrix.h"
#include "passes/pass.h"

namespace onnxpress {

enum class WeightMethod {
  rtn,   // to the nearest point
  hqq,   // zero points that suit heavy-tailed weights; looks at no data
  awq,   // ranges searched by the output's error; scales are smooth's business
  gptq,  // rounding errors are spread over the inputs still to come
};
[[nodiscard]] std::string_view name(WeightMethod method);

struct SolverOptions {
  WeightMethod method = WeightMethod::rtn;
  Grid grid;
  GptqOptions gptq;
  bool clip = true;             // of rtn: search the range of each group, too
  bool ridge = true;            // try weights refitted to the original's outputs
  double ridge_strength = 0.1;  // share of the mean of the Gram's diagonal
  bool bias = true;             // try to move the mean error into the bias
};

// What a solver found for one weight.
struct SolvedWeight {
  QuantizedMatrix q;               // in the layout of the weight
  std::vector<float> bias_change;  // [out]; empty where the bias stays
  std::string way;                 // "gptq, refitted"
  UnitFigures figures;
};

// Finds the codes of the weights that read one tensor, and keeps only those corrections that bring
// their output closer to the original's on held-out rows. Which corrections help is judged on
// weights solved for the training rows; the codes that are kept are solved for all rows.
class StageSolver {
 public:
  // Without moments nothing but the weights counts.
  StageSolver(std::optional<StageMoments> moments, const SolverOptions& options, ThreadPool& pool);
  ~StageSolver();
  StageSolver(const StageSolver&) = delete;
  StageSolver& operator=(const StageSolver&) = delete;

  // `own_bias`: the unit has a bias that may be changed. Without moments awq and gptq count as rtn;
  // hqq looks at none. Throws what the quantizers throw.
  [[nodiscard]] SolvedWeight solve(const WeightRef& w, bool own_bias) {
    return solve(w, own_bias, options_.grid);
  }
  // The same on another grid than that of the options, or by another method.
  [[nodiscard]] SolvedWeight solve(const WeightRef& w, bool own_bias, const Grid& grid) {
    return solve(w, own_bias, grid, options_.method);
  }
  [[nodiscard]] SolvedWeight solve(const WeightRef& w, bool own_bias, const Grid& grid,
                                   WeightMethod method);

 private:
  struct Rows;  // moments of some rows, and what is computed from them when it is needed
  [[nodiscard]] SolvedWeight solve_on_data(const Matrix& w, bool own_bias, const Grid& grid,
                                           WeightMethod method);
  [[nodiscard]] SolvedWeight solve_alone(const Matrix& w, const Grid& grid, WeightMethod method);
  [[nodiscard]] Rows& all();

  SolverOptions options_;
  ThreadPool& pool_;
  std::optional<PairJudge> judge_;  // on held-out rows
  PairGram held_out_;               // until all() adds it to the others
  std::unique_ptr<Rows> train_, all_;
};

}  // namespace onnxpress
