// SPDX-License-Identifier: Apache-2.0
#include "calib/moments.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace onnxpress {
namespace {

// The elements as floats; nothing for types that layers do not compute in.
std::vector<float> floats_of(const Tensor& tensor) {
  if (tensor.dtype() == DType::float32) {
    const auto values = tensor.as<float>();
    return {values.begin(), values.end()};
  }
  const auto values = tensor.to_doubles();
  return {values.begin(), values.end()};
}

bool is_finite(const float* row, std::int64_t width) {
  return std::all_of(row, row + width, [](float x) { return std::isfinite(x); });
}

void add(PairGram& to, const float* edited, const float* original, std::int64_t rows,
         std::int64_t width, ThreadPool& pool) {
  if (rows == 0) return;
  if (to.edited.size == 0) {
    to.edited = Gram(width);
    if (original != nullptr) {
      to.original = Gram(width);
      to.cross = CrossGram(width);
    }
  }
  add_rows(to.edited, edited, rows, pool);
  if (original == nullptr) return;
  add_rows(to.original, original, rows, pool);
  add_rows(to.cross, edited, original, rows, pool);
}

}  // namespace

ValidRows valid_rows(const Activations& activations) {
  const ActivationRows& rows = *activations.rows;
  const std::int64_t width = rows.width;
  const std::vector<float> edited = floats_of(*activations.edited);
  const bool pair = activations.original != nullptr;
  const std::vector<float> original =
      pair ? floats_of(*activations.original) : std::vector<float>();
  ValidRows result;
  result.width = width;
  for (const std::uint8_t held_out : {0, 1}) {
    for (std::int64_t i = 0; i < rows.count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (rows.valid[at] == 0 || rows.held_out[at] != held_out) continue;
      const float* row = edited.data() + i * width;
      const float* other = pair ? original.data() + i * width : row;
      if (!is_finite(row, width) || !is_finite(other, width)) {
        ++result.skipped;
        continue;
      }
      result.edited.insert(result.edited.end(), row, row + width);
      if (pair) result.original.insert(result.original.end(), other, other + width);
      result.sample.push_back(rows.sample[at]);
      result.in_sample.push_back(rows.in_sample[at]);
      ++(held_out != 0 ? result.held_out : result.train);
    }
  }
  return result;
}

StageMoments observe_moments(StagedRun& run, const Model& edited, ValueId value, ThreadPool& pool,
                             const std::function<void(ValidRows&)>& change) {
  StageMoments moments;
  run.advance(edited, std::array{value}, [&](const Activations& activations) {
    ValidRows rows = valid_rows(activations);
    if (change) change(rows);
    const std::int64_t begin = rows.train * rows.width;
    const float* original = rows.original.empty() ? nullptr : rows.original.data();
    const float* later = original == nullptr ? nullptr : original + begin;
    add(moments.train, rows.edited.data(), original, rows.train, rows.width, pool);
    add(moments.held_out, rows.edited.data() + begin, later, rows.held_out, rows.width, pool);
    moments.skipped_rows += rows.skipped;
  });
  return moments;
}

}  // namespace onnxpress
