// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "numerics/gram.h"
#include "numerics/matrix.h"

// A matrix W as a product A·B of two thin ones that keeps what matters of X·W. The best of rank r,
// min ‖X(W - AB)‖, are A = W·V and B = Vᵀ with V the r leading eigenvectors of WᵀHW, the principal
// components of the output (AFM, Yu and Wu 2023; the same as SVD of the whitened W, SVD-LLM, Wang
// et al. 2024). No inverse or Cholesky factor of H is needed, so H may be singular.
namespace onnxpress {

// XᵀX / rows, [in, in]; without the rows' mean if `centred`, for units whose bias takes it. To its
// diagonal `damping` times its mean is added: directions that the rows show little of keep some
// weight. Empty if there are no rows or numbers are not finite.
[[nodiscard]] std::vector<double> moments_of(const Gram& gram, bool centred, double damping);

struct LowRankFactors {
  // Of the output along each of min(in, out) directions, mean over rows, descending; not negative.
  std::vector<double> energy;
  Matrix a;  // [in, rank]; columns in the order of the directions
  Matrix b;  // [rank, out]; rows are orthonormal
  [[nodiscard]] std::int64_t rank() const { return a.columns; }
};

// The factors of the leading `most` directions, min(in, out) at most; with all of them A·B is W but
// for rounding. moments: H [in, in], or empty for the identity: then A·B is the plain SVD. The
// result does not depend on the pool. No directions where the eigenvalues can't be found, e.g.
// since numbers are not finite.
[[nodiscard]] LowRankFactors factor_low_rank(const Matrix& w, std::span<const double> moments,
                                             std::int64_t most, ThreadPool& pool);

// The first `rank` directions.
[[nodiscard]] LowRankFactors leading(const LowRankFactors& factors, std::int64_t rank);

// The energy of each direction on other rows, whose moments are given: diag(AᵀHA). What A·B of rank
// r leaves out of the output has the sum of those from r on.
[[nodiscard]] std::vector<double> energies_on(const LowRankFactors& factors,
                                              std::span<const double> moments, ThreadPool& pool);

// The energy of X·E, mean over rows: tr(EᵀHE). e [in, out], moments H [in, in].
[[nodiscard]] double energy_of(const Matrix& e, std::span<const double> moments, ThreadPool& pool);

// The least rank whose leading energies are at least `share` of their sum.
[[nodiscard]] std::int64_t rank_for_share(std::span<const double> energy, double share);

// Ranks below this save numbers: in·out / (in + out).
[[nodiscard]] double break_even_rank(std::int64_t in, std::int64_t out);
// The largest multiple of `multiple` that is below it and at most `limit`; 0 if there is none.
[[nodiscard]] std::int64_t largest_saving_rank(std::int64_t in, std::int64_t out,
                                               std::int64_t multiple, double limit);

}  // namespace onnxpress
