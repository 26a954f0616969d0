// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "numerics/low_rank.h"
#include "numerics/quantized_matrix.h"

// What rounding took from a weight, W - Q, as far as a product of two thin matrices brings it back.
namespace onnxpress {

enum class FactorType { int8, float16, float32 };
[[nodiscard]] std::optional<FactorType> parse_factor_type(std::string_view text);

struct CorrectionOptions {
  std::int64_t rank = 8;
  FactorType type = FactorType::int8;
  bool centred = false;  // the unit's bias takes the mean error
  double damping = 0.01;
};

// The factors as they are stored: A [in, rank] and B [rank, out].
struct LowRankCorrection {
  FactorType type = FactorType::int8;
  // Of int8, a scale for each direction: A is stored as it is, B as the layout out_in of a matrix
  // with `rank` outputs.
  QuantizedMatrix a_codes, b_codes;
  Matrix a_values, b_values;  // of the other types, rounded
  [[nodiscard]] Matrix a() const;
  [[nodiscard]] Matrix b() const;
  [[nodiscard]] std::int64_t rank() const {
    return type == FactorType::int8 ? a_codes.out : a_values.columns;
  }
};

// The factors rounded to the type.
[[nodiscard]] LowRankCorrection stored_factors(LowRankFactors factors, FactorType type,
                                               ThreadPool& pool);

// The A·B of that rank (at most min(in, out)) that brings X(Q + AB) closest to X·W, Q fixed: the
// leading eigenvectors of (W-Q)ᵀH(W-Q), then rounded to the type. w, q: [in, out]; gram: of X. Rank
// 0 where nothing can be solved.
[[nodiscard]] LowRankCorrection solve_correction(const Matrix& w, const Matrix& q, const Gram& gram,
                                                 const CorrectionOptions& options,
                                                 ThreadPool& pool);

// Codes and the correction beside them.
struct CorrectedCodes {
  QuantizedMatrix q;
  LowRankCorrection correction;
  // Of X(W - Q - AB), tr(EᵀHE) with the damped moments: of the first pair, and of the best so far
  // after each round.
  std::vector<double> energy;
};

// Codes and correction found in turn: A·B for the codes `q`, then `rounds` times codes of W - AB by
// `quantize` and A·B for them, so that the codes need not spend themselves on directions that A·B
// takes (LoftQ, Li et al. 2023; with the inputs' moments as in CALDERA, Saha et al. 2024). The pair
// of the least energy is returned: never worse than the first. A round that is no better is the
// last.
[[nodiscard]] CorrectedCodes alternate_correction(
    const Matrix& w, QuantizedMatrix q, const Gram& gram, const CorrectionOptions& options,
    int rounds, const std::function<QuantizedMatrix(const Matrix&)>& quantize, ThreadPool& pool);

[[nodiscard]] std::int64_t correction_bytes(FactorType type, std::int64_t rank, std::int64_t in,
                                            std::int64_t out);

}  // namespace onnxpress
