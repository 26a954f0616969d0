// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "exec/session.h"
#include "support/parse.h"

namespace onnxpress::test {

// Runs a model in ONNX text on tensors with the plain kernels; the first output.
inline Tensor run(std::string_view onnx_text, const TensorMap& inputs) {
  const Model model = parse(onnx_text);
  const Session session(model, {.threads = 1, .reference_kernels = true, .fuse = false});
  return session.run(inputs).at(session.outputs().at(0).name);
}

inline Tensor floats(Dims dims, std::vector<float> values) {
  return Tensor::of<float>(std::move(dims), std::move(values));
}
inline Tensor ints(Dims dims, std::vector<std::int64_t> values) {
  return Tensor::of<std::int64_t>(std::move(dims), std::move(values));
}

// The biggest difference between elements; infinity where shapes or types differ.
inline double max_difference(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) return INFINITY;
  const auto x = a.to_doubles(), y = b.to_doubles();
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double difference = std::fabs(x[i] - y[i]);
    largest = std::isnan(difference) ? INFINITY : std::max(largest, difference);
  }
  return largest;
}

// max(1, standard deviation) of the elements: what differences are measured against.
inline double spread(const Tensor& t) {
  const auto x = t.to_doubles();
  double sum = 0, squares = 0;
  for (const double v : x) sum += v;
  const double mean = sum / static_cast<double>(x.size());
  for (const double v : x) squares += (v - mean) * (v - mean);
  return std::max(1.0, std::sqrt(squares / static_cast<double>(x.size())));
}

}  // namespace onnxpress::test
