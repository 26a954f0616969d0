// SPDX-License-Identifier: Apache-2.0
#include "numerics/low_rank.h"

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace onnxpress {
namespace {

using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::int64_t kRows = 64;  // of a product, for one thread

Dense multiply(const Dense& a, const Dense& b, ThreadPool& pool) {
  Dense c(a.rows(), b.cols());
  pool.parallel_for(a.rows(), kRows, [&](std::int64_t begin, std::int64_t end) {
    c.middleRows(begin, end - begin).noalias() = a.middleRows(begin, end - begin) * b;
  });
  return c;
}

Dense in_double(const Matrix& m) {
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
             m.values.data(), m.rows, m.columns)
      .cast<double>();
}

Matrix in_float(const Dense& m) {
  Matrix result(m.rows(), m.cols());
  std::transform(m.data(), m.data() + m.size(), result.values.begin(),
                 [](double value) { return static_cast<float>(value); });
  return result;
}

// W = core · basisᵀ with orthonormal columns in the basis, so that the eigenproblem has the size of
// W's shorter side. Without a basis where outputs are no more than inputs: there it is the
// identity.
struct Reduced {
  Dense core;   // [in, min(in, out)]
  Dense basis;  // [out, min(in, out)], or empty
};

Reduced reduced(const Matrix& w) {
  Dense values = in_double(w);
  if (w.columns <= w.rows) return {std::move(values), {}};
  const Eigen::MatrixXd turned = values.transpose();
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(turned);
  const Eigen::MatrixXd thin = Eigen::MatrixXd::Identity(w.columns, w.rows);
  const Eigen::MatrixXd upper =
      qr.matrixQR().topRows(w.rows).triangularView<Eigen::Upper>().toDenseMatrix();
  return {upper.transpose(), qr.householderQ() * thin};
}

}  // namespace

std::vector<double> moments_of(const Gram& gram, bool centred, double damping) {
  if (gram.rows == 0) return {};
  const auto rows = static_cast<double>(gram.rows);
  const auto size = static_cast<std::size_t>(gram.size);
  std::vector<double> h(size * size);
  double trace = 0;
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) {
      const double means = centred ? gram.sum[i] / rows * (gram.sum[j] / rows) : 0;
      h[i * size + j] = gram.xx[i * size + j] / rows - means;
    }
    trace += std::max(h[i * size + i], 0.0);
  }
  for (std::size_t i = 0; i < size; ++i) {
    h[i * size + i] += damping * trace / static_cast<double>(std::max<std::size_t>(size, 1));
  }
  if (!std::ranges::all_of(h, [](double value) { return std::isfinite(value); })) return {};
  return h;
}

LowRankFactors factor_low_rank(const Matrix& w, std::span<const double> moments, std::int64_t most,
                               ThreadPool& pool) {
  LowRankFactors factors;
  const std::int64_t size = std::min(w.rows, w.columns);
  if (size == 0) return factors;
  const Reduced parts = reduced(w);
  const Dense turned = parts.core.transpose();
  Dense output;
  if (moments.empty()) {
    output = multiply(turned, parts.core, pool);
  } else {
    const Dense h = Eigen::Map<const Dense>(moments.data(), w.rows, w.rows);
    output = multiply(turned, multiply(h, parts.core, pool), pool);
  }
  const Eigen::MatrixXd symmetric = 0.5 * (output + output.transpose());
  if (!symmetric.allFinite()) return factors;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(symmetric);
  if (solver.info() != Eigen::Success) return factors;
  const std::int64_t rank = std::clamp<std::int64_t>(most, 0, size);
  const Dense directions = solver.eigenvectors().rowwise().reverse().leftCols(rank);
  for (std::int64_t i = size - 1; i >= 0; --i) {
    factors.energy.push_back(std::max(solver.eigenvalues()(i), 0.0));
  }
  factors.a = in_float(multiply(parts.core, directions, pool));
  factors.b = in_float(parts.basis.size() == 0
                           ? Dense(directions.transpose())
                           : Dense(multiply(parts.basis, directions, pool).transpose()));
  return factors;
}

LowRankFactors leading(const LowRankFactors& factors, std::int64_t rank) {
  const std::int64_t in = factors.a.rows;
  const std::int64_t out = factors.b.columns;
  rank = std::min(rank, factors.rank());
  LowRankFactors result{factors.energy, Matrix(in, rank), Matrix(rank, out)};
  for (std::int64_t i = 0; i < in; ++i) std::copy_n(factors.a.row(i), rank, result.a.row(i));
  std::copy_n(factors.b.values.begin(), rank * out, result.b.values.begin());
  return result;
}

std::vector<double> energies_on(const LowRankFactors& factors, std::span<const double> moments,
                                ThreadPool& pool) {
  const std::int64_t in = factors.a.rows;
  const Dense a = in_double(factors.a);
  const Dense h = Eigen::Map<const Dense>(moments.data(), in, in);
  const Dense pulled = multiply(h, a, pool);
  std::vector<double> energy(static_cast<std::size_t>(factors.rank()));
  for (std::size_t i = 0; i < energy.size(); ++i) {
    const auto column = static_cast<Eigen::Index>(i);
    energy[i] = std::max(a.col(column).dot(pulled.col(column)), 0.0);
  }
  return energy;
}

double energy_of(const Matrix& e, std::span<const double> moments, ThreadPool& pool) {
  const Dense values = in_double(e);
  const Dense h = Eigen::Map<const Dense>(moments.data(), e.rows, e.rows);
  return std::max(multiply(h, values, pool).cwiseProduct(values).sum(), 0.0);
}

std::int64_t rank_for_share(std::span<const double> energy, double share) {
  const double wanted = share * std::accumulate(energy.begin(), energy.end(), 0.0);
  double kept = 0;
  std::int64_t rank = 0;
  for (const double value : energy) {
    if (kept >= wanted) break;
    kept += value;
    ++rank;
  }
  return rank;
}

double break_even_rank(std::int64_t in, std::int64_t out) {
  const auto a = static_cast<double>(in);
  const auto b = static_cast<double>(out);
  return a + b > 0 ? a * b / (a + b) : 0;
}

std::int64_t largest_saving_rank(std::int64_t in, std::int64_t out, std::int64_t multiple,
                                 double limit) {
  const double bound = std::min(limit, break_even_rank(in, out));
  auto rank = static_cast<std::int64_t>(bound) / multiple * multiple;
  while (rank > 0 && static_cast<double>(rank) >= break_even_rank(in, out)) rank -= multiple;
  return std::max<std::int64_t>(rank, 0);
}

}  // namespace onnxpress
