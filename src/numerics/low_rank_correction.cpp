// SPDX-License-Identifier: Apache-2.0
#include "numerics/low_rank_correction.h"

#include <algorithm>
#include <utility>

#include "base/half.h"
#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

constexpr Grid kEightBits{8, 0, true};

void round_to_half(Matrix& m) {
  for (float& value : m.values) value = half_to_float(float_to_half(value));
}

Matrix difference(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] -= b.values[i];
  return a;
}

}  // namespace

std::optional<FactorType> parse_factor_type(std::string_view text) {
  if (text == "int8") return FactorType::int8;
  if (text == "float16") return FactorType::float16;
  if (text == "float32") return FactorType::float32;
  return std::nullopt;
}

Matrix LowRankCorrection::a() const {
  return type == FactorType::int8 ? dequantized_matrix(a_codes) : a_values;
}

Matrix LowRankCorrection::b() const {
  return type == FactorType::int8 ? transposed(dequantized_matrix(b_codes)) : b_values;
}

LowRankCorrection stored_factors(LowRankFactors factors, FactorType type, ThreadPool& pool) {
  LowRankCorrection correction;
  correction.type = type;
  if (type == FactorType::int8) {
    correction.a_codes = quantize_rtn(weight_ref(factors.a), kEightBits, pool);
    const WeightRef b =
        weight_ref(factors.b.values, factors.b.columns, factors.b.rows, MatrixLayout::out_in);
    correction.b_codes = quantize_rtn(b, kEightBits, pool);
    return correction;
  }
  correction.a_values = std::move(factors.a);
  correction.b_values = std::move(factors.b);
  if (type == FactorType::float16) {
    round_to_half(correction.a_values);
    round_to_half(correction.b_values);
  }
  return correction;
}

LowRankCorrection solve_correction(const Matrix& w, const Matrix& q, const Gram& gram,
                                   const CorrectionOptions& options, ThreadPool& pool) {
  const Matrix error = difference(w, q);
  const auto moments = moments_of(gram, options.centred, options.damping);
  LowRankFactors factors{{}, Matrix(w.rows, 0), Matrix(0, w.columns)};
  if (!moments.empty()) {
    LowRankFactors solved = factor_low_rank(error, moments, options.rank, pool);
    if (!solved.energy.empty()) factors = std::move(solved);
  }
  return stored_factors(std::move(factors), options.type, pool);
}

CorrectedCodes alternate_correction(const Matrix& w, QuantizedMatrix q, const Gram& gram,
                                    const CorrectionOptions& options, int rounds,
                                    const std::function<QuantizedMatrix(const Matrix&)>& quantize,
                                    ThreadPool& pool) {
  const auto moments = moments_of(gram, options.centred, options.damping);
  CorrectedCodes best;
  Matrix rest = w;  // W - AB of the last round
  for (int round = 0; round <= rounds; ++round) {
    if (round > 0) q = quantize(rest);
    const Matrix values = dequantized_matrix(q);
    LowRankCorrection correction = solve_correction(w, values, gram, options, pool);
    rest = difference(w, product(correction.a(), correction.b(), pool));
    const double energy = moments.empty() ? 0 : energy_of(difference(rest, values), moments, pool);
    const bool better = round == 0 || energy < best.energy.back();
    best.energy.push_back(better ? energy : best.energy.back());
    if (!better) break;
    best.q = std::move(q);
    best.correction = std::move(correction);
    if (best.correction.rank() == 0) break;
  }
  return best;
}

std::int64_t correction_bytes(FactorType type, std::int64_t rank, std::int64_t in,
                              std::int64_t out) {
  rank = std::min({rank, in, out});
  switch (type) {
    case FactorType::int8:
      return rank * (in + out + 8);
    case FactorType::float16:
      return rank * (in + out) * 2;
    case FactorType::float32:
      return rank * (in + out) * 4;
  }
  return 0;
}

}  // namespace onnxpress
