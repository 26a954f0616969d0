// SPDX-License-Identifier: Apache-2.0
#include "calib/observers/gram_sums.h"

#include <algorithm>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kRowsAtOnce = 16;  // of the matrix, that a thread adds

// Where row i of the upper triangle begins.
std::size_t row_begin(std::int64_t i, std::int64_t size) {
  return static_cast<std::size_t>(i * size - i * (i - 1) / 2);
}

}  // namespace

GramSums::GramSums(std::int64_t channels)
    : size(channels),
      sum(static_cast<std::size_t>(channels)),
      xx(static_cast<std::size_t>(channels * (channels + 1) / 2)) {}

void GramSums::add(const float* x, std::int64_t count, Gram& scratch, ThreadPool& pool) {
  if (count == 0) return;
  if (is_rounded()) throw Error(codes::internal_error, "rows are added to a rounded Gram matrix");
  if (scratch.size != size) {
    scratch = Gram(size);
  } else {
    std::ranges::fill(scratch.xx, 0.0);
    std::ranges::fill(scratch.sum, 0.0);
    scratch.rows = 0;
  }
  add_rows(scratch, x, count, pool);
  pool.parallel_for(size, kRowsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::size_t at = row_begin(i, size);
      for (std::int64_t j = i; j < size; ++j) xx.add(at++, scratch.at(i, j));
    }
  });
  for (std::size_t i = 0; i < scratch.sum.size(); ++i) sum.add(i, scratch.sum[i]);
  rows += count;
}

GramSums& GramSums::operator+=(const GramSums& other) {
  if (is_rounded() || other.is_rounded()) {
    throw Error(codes::internal_error, "rounded Gram matrices are added");
  }
  sum += other.sum;
  xx += other.xx;
  rows += other.rows;
  return *this;
}

void GramSums::round() {
  if (is_rounded()) return;
  rounded_xx.resize(xx.size());
  for (std::size_t i = 0; i < rounded_xx.size(); ++i) rounded_xx[i] = static_cast<float>(xx.at(i));
  xx = {};
}

Gram GramSums::gram() const {
  Gram result(size);
  result.rows = rows;
  result.sum = sum.to_doubles();
  const auto n = static_cast<std::size_t>(size);
  std::size_t at = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i; j < n; ++j, ++at) {
      const double value = is_rounded() ? static_cast<double>(rounded_xx[at]) : xx.at(at);
      result.xx[i * n + j] = result.xx[j * n + i] = value;
    }
  }
  return result;
}

}  // namespace onnxpress
