// SPDX-License-Identifier: Apache-2.0
#include "numerics/smoothing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "numerics/quantize_rtn.h"
#include "numerics/smoothing_candidates.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kComparedWeights = std::int64_t{1} << 20;

std::vector<float> spread(const SmoothedProduct& product, std::span<const float> scales) {
  std::vector<float> rows;
  rows.reserve(product.scale_of.size());
  for (const std::int32_t s : product.scale_of) rows.push_back(scales[static_cast<std::size_t>(s)]);
  return rows;
}

// What sW becomes on the grid, over s again.
Matrix quantized(const Matrix& weights, std::span<const float> scales, const Grid& grid,
                 ThreadPool& pool) {
  Matrix scaled = weights;
  for (std::int64_t j = 0; j < scaled.rows; ++j) {
    for (std::int64_t o = 0; o < scaled.columns; ++o) {
      scaled(j, o) *= scales[static_cast<std::size_t>(j)];
    }
  }
  Matrix q = dequantized_matrix(quantize_rtn(weight_ref(scaled), grid, pool));
  for (std::int64_t j = 0; j < q.rows; ++j) {
    for (std::int64_t o = 0; o < q.columns; ++o) q(j, o) /= scales[static_cast<std::size_t>(j)];
  }
  return q;
}

struct Span {
  double low = 0, high = 0;  // 0 is among them
};

// The mean range that batches of X/s have.
Span typical_range(const SmoothingInput& x, std::span<const float> scales) {
  const auto width = static_cast<std::size_t>(x.channels);
  const std::size_t batches = x.batch_min.size() / width;
  Span sum;
  for (std::size_t b = 0; b < batches; ++b) {
    double low = 0;
    double high = 0;
    for (std::size_t j = 0; j < width; ++j) {
      low = std::min(low, static_cast<double>(x.batch_min[b * width + j]) / scales[j]);
      high = std::max(high, static_cast<double>(x.batch_max[b * width + j]) / scales[j]);
    }
    sum.low += low / static_cast<double>(batches);
    sum.high += high / static_cast<double>(batches);
  }
  return sum;
}

// Energy of the output's error that is to be expected of rounding both.
double expected_error(const SmoothedProduct& product, const Matrix& weights,
                      std::span<const float> scales, const Grid& grid, ThreadPool& pool) {
  const Matrix q = quantized(weights, scales, grid, pool);
  const Span range = typical_range(*product.input, scales);
  const double step = (range.high - range.low) / 255;
  double error = 0;
  for (std::int64_t j = 0; j < weights.rows; ++j) {
    const float* w = weights.row(j);
    double energy = 0;
    double difference = 0;
    for (std::int64_t o = 0; o < weights.columns; ++o) {
      const double d = static_cast<double>(w[o]) - static_cast<double>(q.row(j)[o]);
      energy += static_cast<double>(w[o]) * static_cast<double>(w[o]);
      difference += d * d;
    }
    const double s = scales[static_cast<std::size_t>(j)];
    error += step * step / 12 * s * s * energy +
             product.input->energy[static_cast<std::size_t>(j)] * difference;
  }
  return error;
}

// Of the output, with channels that have nothing to do with each other.
double expected_energy(const SmoothedProduct& product) {
  double sum = 0;
  for (std::int64_t j = 0; j < product.weights.rows; ++j) {
    const float* w = product.weights.row(j);
    for (std::int64_t o = 0; o < product.weights.columns; ++o) {
      sum += product.input->energy[static_cast<std::size_t>(j)] * static_cast<double>(w[o]) *
             static_cast<double>(w[o]);
    }
  }
  return sum;
}

// X/s rounded to 8 bits with one range, times s again.
Matrix rounded_rows(const Matrix& rows, const SmoothingInput& input,
                    std::span<const float> scales) {
  const Span range = typical_range(input, scales);
  const double step = (range.high - range.low) / 255;
  Matrix result = rows;
  if (!(step > 0)) return result;
  const double zero = std::nearbyint(-range.low / step);
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    for (std::int64_t j = 0; j < rows.columns; ++j) {
      const double s = scales[static_cast<std::size_t>(j)];
      const double code =
          std::clamp(std::nearbyint(static_cast<double>(rows(i, j)) / s / step) + zero, 0.0, 255.0);
      result(i, j) = static_cast<float>((code - zero) * step * s);
    }
  }
  return result;
}

// Energy of the error that quantizing makes on these rows; with an empty `scales` that of nothing
// being quantized, so the output's own.
double measured(const Matrix& rows, const SmoothedProduct& product, const Matrix& weights,
                std::span<const float> scales, const SmoothingOptions& options, ThreadPool& pool) {
  const Matrix exact = onnxpress::product(rows, weights, pool);
  double sum = 0;
  if (scales.empty()) {
    for (const float y : exact.values) sum += static_cast<double>(y) * static_cast<double>(y);
    return sum;
  }
  const Matrix q = quantized(weights, scales, options.grid, pool);
  const bool rounds = options.method == SmoothingMethod::smoothquant;
  const Matrix y =
      onnxpress::product(rounds ? rounded_rows(rows, *product.input, scales) : rows, q, pool);
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const double d = static_cast<double>(exact.values[i]) - static_cast<double>(y.values[i]);
    sum += d * d;
  }
  return sum;
}

}  // namespace

Smoothing find_scales(std::span<const SmoothedProduct> products, std::int64_t count,
                      const SmoothingOptions& options, ThreadPool& pool) {
  const std::vector<float> ones(static_cast<std::size_t>(count), 1.0F);
  std::vector<Matrix> thin;
  for (const SmoothedProduct& product : products)
    thin.push_back(thinned(product.weights, kComparedWeights));
  const bool awq = options.method == SmoothingMethod::awq;
  const auto searched_error = [&](std::span<const float> scales) {
    double sum = 0;
    for (std::size_t i = 0; i < products.size(); ++i) {
      const std::vector<float> rows = spread(products[i], scales);
      sum += awq ? measured(products[i].input->train, products[i], thin[i], rows, options, pool)
                 : expected_error(products[i], thin[i], rows, options.grid, pool);
    }
    return sum;
  };
  const auto judged_error = [&](std::span<const float> scales) {
    double sum = 0;
    for (const SmoothedProduct& product : products) {
      if (product.input->train.rows == 0) {
        sum += scales.empty() ? expected_energy(product)
                              : expected_error(product, product.weights, spread(product, scales),
                                               options.grid, pool);
        continue;
      }
      const Matrix& held_out = product.input->held_out;
      sum +=
          measured(held_out.rows > 0 ? held_out : product.input->train, product, product.weights,
                   scales.empty() ? std::vector<float>{} : spread(product, scales), options, pool);
    }
    return sum;
  };

  const Channels channels = channels_of(products, static_cast<std::size_t>(count));
  std::optional<ScaleCandidate> best;
  double least = std::numeric_limits<double>::infinity();
  for (ScaleCandidate& one : scale_candidates(channels, options)) {
    const double error = searched_error(one.scales);
    if (!(error < least)) continue;
    least = error;
    best = std::move(one);
  }
  Smoothing result;
  const double whole = judged_error({});
  if (!(whole > 0) || !best) return result;
  result.before = std::sqrt(judged_error(ones) / whole);
  result.after = std::sqrt(judged_error(best->scales) / whole);
  if (!(result.after < result.before)) return result;
  result.scales = std::move(best->scales);
  result.way = std::move(best->way);
  return result;
}

}  // namespace onnxpress
