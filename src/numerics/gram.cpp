// SPDX-License-Identifier: Apache-2.0
#include "numerics/gram.h"

#include <algorithm>
#include <utility>

#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kRows = 512;     // summed in float
constexpr std::int64_t kChannels = 96;  // rows of the result that a thread computes at a time

std::size_t square(std::int64_t n) {
  return static_cast<std::size_t>(n * n);
}

void add(std::vector<double>& to, const std::vector<double>& from) {
  if (to.empty()) to.resize(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i];
}

}  // namespace

Gram::Gram(std::int64_t channels)
    : size(channels), xx(square(channels)), sum(static_cast<std::size_t>(channels)) {}

Gram Gram::of_sums(std::int64_t size, std::int64_t rows, std::vector<double> sum) {
  Gram gram;
  gram.size = size;
  gram.rows = rows;
  gram.sum = std::move(sum);
  return gram;
}

Gram& Gram::operator+=(const Gram& other) {
  size = std::max(size, other.size);
  rows += other.rows;
  add(xx, other.xx);
  add(sum, other.sum);
  return *this;
}

CrossGram::CrossGram(std::int64_t channels) : size(channels), xy(square(channels)) {}

CrossGram& CrossGram::operator+=(const CrossGram& other) {
  size = std::max(size, other.size);
  rows += other.rows;
  add(xy, other.xy);
  return *this;
}

PairGram& PairGram::operator+=(const PairGram& other) {
  edited += other.edited;
  original += other.original;
  cross += other.cross;
  return *this;
}

void add_rows(Gram& gram, const float* x, std::int64_t rows, ThreadPool& pool) {
  const dense::Level& level = dense::level();
  const std::int64_t k = gram.size;
  pool.parallel_for(k, kChannels, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = 0; at < rows; at += kRows) {
      level.add_products(x + at * k, x + at * k, std::min(kRows, rows - at), k, begin, end, begin,
                         gram.xx.data());
    }
  });
  for (std::int64_t i = 0; i < k; ++i) {  // what is below the diagonal
    for (std::int64_t j = 0; j < i; ++j) {
      gram.xx[static_cast<std::size_t>(i * k + j)] = gram.xx[static_cast<std::size_t>(j * k + i)];
    }
  }
  add_sums(gram, x, rows);
}

void add_sums(Gram& gram, const float* x, std::int64_t rows) {
  const std::int64_t k = gram.size;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < k; ++j) gram.sum[static_cast<std::size_t>(j)] += x[r * k + j];
  }
  gram.rows += rows;
}

void add_rows(CrossGram& cross, const float* edited, const float* original, std::int64_t rows,
              ThreadPool& pool) {
  const dense::Level& level = dense::level();
  const std::int64_t k = cross.size;
  pool.parallel_for(k, kChannels, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = 0; at < rows; at += kRows) {
      level.add_products(edited + at * k, original + at * k, std::min(kRows, rows - at), k, begin,
                         end, 0, cross.xy.data());
    }
  });
  cross.rows += rows;
}

}  // namespace onnxpress
