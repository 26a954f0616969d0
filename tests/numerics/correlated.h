// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

#include "numerics/gram.h"
#include "numerics/matrix.h"

namespace onnxpress::test {

// Normally distributed numbers, the same on every machine.
inline Matrix gaussian(std::int64_t rows, std::int64_t columns, std::uint32_t seed,
                       float size = 1) {
  std::mt19937 random(seed);
  Matrix m(rows, columns);
  for (float& value : m.values) {  // Box and Muller
    const double u = (static_cast<double>(random()) + 1) / 4294967297.0;
    const double v = static_cast<double>(random()) / 4294967296.0;
    value =
        size * static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v));
  }
  return m;
}

// Rows of a layer's input as models have them: few directions carry most of the energy, and some
// channels are far larger than the others.
inline Matrix activations(std::int64_t rows, std::int64_t channels, std::uint32_t seed) {
  ThreadPool pool(1);
  const std::int64_t rank = channels;
  Matrix directions = gaussian(rank, channels, 17);
  for (std::int64_t r = 0; r < rank; ++r) {
    const float size = 1 / std::pow(1.0F + static_cast<float>(r), 0.8F);
    for (std::int64_t c = 0; c < channels; ++c) directions(r, c) *= size;
  }
  for (std::int64_t c = 0; c < channels; c += 37) {
    for (std::int64_t r = 0; r < rank; ++r) directions(r, c) *= 8;
  }
  return product(gaussian(rows, rank, seed), directions, pool);
}

inline Gram gram_of(const Matrix& x) {
  ThreadPool pool(2);
  Gram gram(x.columns);
  add_rows(gram, x.values.data(), x.rows, pool);
  return gram;
}

inline PairGram pair_of(const Matrix& edited, const Matrix& original) {
  ThreadPool pool(2);
  PairGram pair{gram_of(edited), gram_of(original), CrossGram(edited.columns)};
  add_rows(pair.cross, edited.values.data(), original.values.data(), edited.rows, pool);
  return pair;
}

// ‖a - b‖ / ‖a‖
inline double relative_distance(const Matrix& a, const Matrix& b) {
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double difference = static_cast<double>(a.values[i]) - b.values[i];
    error += difference * difference;
    size += static_cast<double>(a.values[i]) * a.values[i];
  }
  return std::sqrt(error / size);
}

}  // namespace onnxpress::test
