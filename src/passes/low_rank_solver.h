// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calib/moments.h"
#include "numerics/low_rank.h"
#include "passes/pass.h"

namespace onnxpress {

enum class RankRule {
  energy,  // the least rank that keeps a share of the output's energy
  bytes,   // the largest rank that takes at most a share of the weight's bytes
  error,   // the least rank whose held-out error is small enough
  rank,    // as it is given
};
[[nodiscard]] const std::vector<std::string>& rank_rule_names();

struct LowRankOptions {
  bool whitened = true;  // else the plain SVD of the weight
  RankRule rule = RankRule::energy;
  double energy = 0.999;
  double ratio = 0.5;
  double max_error = 0.1;
  std::int64_t rank = 64;
  std::int64_t multiple = 8;  // ranks are multiples of it
  bool refit = true;          // try factors of weights refitted to the original's outputs
  double refit_strength = 0.1;

  // The rank of a weight of that size where the rule needs to know no more; of the other rules the
  // largest that saves bytes. 0 where none does.
  [[nodiscard]] std::int64_t largest_rank(std::int64_t in, std::int64_t out) const;
  [[nodiscard]] bool is_rank_known() const {
    return rule == RankRule::bytes || rule == RankRule::rank;
  }
};

// What was found for one weight.
struct SolvedFactors {
  std::string why_not;             // then the weight stays as it is, and nothing below is set
  Matrix a, b;                     // [in, rank], [rank, out]
  std::vector<float> bias_change;  // [out]; empty where the bias stays
  std::string way;                 // "rank 64 of 384, whitened, bias corrected"
  UnitFigures figures;
};

// Factors of w [in, out]. With moments they are solved on the training rows and judged on those
// held out: whitened, whitened and refitted, and the plain SVD of the same rank; the best way is
// taken, and its factors and bias are solved again on all rows. Without (nullptr) there is the
// plain SVD only.
[[nodiscard]] SolvedFactors solve_low_rank(const Matrix& w, bool own_bias,
                                           const StageMoments* moments,
                                           const LowRankOptions& options, ThreadPool& pool);

}  // namespace onnxpress
