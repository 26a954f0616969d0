// SPDX-License-Identifier: Apache-2.0
#include "calib/moments.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace onnxpress {
namespace {

// The elements as floats, where they lie or, converted, in `buffer`; nothing for types that layers
// do not compute in.
const float* floats_of(const Tensor& tensor, std::vector<float>& buffer) {
  if (tensor.dtype() == DType::float32) return tensor.as<float>().data();
  const auto values = tensor.to_doubles();
  buffer.assign(values.begin(), values.end());
  return buffer.data();
}

bool is_finite(const float* row, std::int64_t width) {
  return std::all_of(row, row + width, [](float x) { return std::isfinite(x); });
}

// Adding to Gram matrices costs about the same for few rows as for many: they wait for more.
constexpr std::int64_t kRowsAtOnce = 1024;

Gram sums_only(std::int64_t width) {
  return Gram::of_sums(width, 0, std::vector<double>(static_cast<std::size_t>(width)));
}

struct WaitingRows {
  std::vector<float> edited, original;
  std::int64_t count = 0;

  void append(const ValidRows& rows, std::int64_t begin, std::int64_t end) {
    const auto take = [&](const std::vector<float>& from, std::vector<float>& to) {
      if (from.empty()) return;
      to.insert(to.end(), from.begin() + begin * rows.width, from.begin() + end * rows.width);
    };
    take(rows.edited, edited);
    take(rows.original, original);
    count += end - begin;
  }

  void add_to(PairGram& moments, std::int64_t width, bool to_judge_by, ThreadPool& pool) {
    if (count == 0) return;
    const bool pair = !original.empty();
    if (moments.edited.size == 0) {
      moments.edited = Gram(width);
      if (pair) {
        moments.original = to_judge_by ? Gram(width) : sums_only(width);
        moments.cross = CrossGram(width);
      }
    }
    add_rows(moments.edited, edited.data(), count, pool);
    if (pair) {
      if (to_judge_by) {
        add_rows(moments.original, original.data(), count, pool);
      } else {
        add_sums(moments.original, original.data(), count);
      }
      add_rows(moments.cross, edited.data(), original.data(), count, pool);
    }
    edited.clear();
    original.clear();
    count = 0;
  }
};

}  // namespace

ValidRows valid_rows(const Activations& activations) {
  const ActivationRows& rows = *activations.rows;
  const std::int64_t width = rows.width;
  std::vector<float> buffers[2];
  const float* edited = floats_of(*activations.edited, buffers[0]);
  const bool pair = activations.original != nullptr;
  const float* original = pair ? floats_of(*activations.original, buffers[1]) : nullptr;
  ValidRows result;
  result.width = width;
  result.edited.reserve(static_cast<std::size_t>(rows.count * width));
  if (pair) result.original.reserve(result.edited.capacity());
  for (const std::uint8_t held_out : {0, 1}) {
    for (std::int64_t i = 0; i < rows.count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (rows.valid[at] == 0 || rows.held_out[at] != held_out) continue;
      const float* row = edited + i * width;
      const float* other = pair ? original + i * width : row;
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
  WaitingRows train;
  WaitingRows held_out;
  std::int64_t width = 0;
  run.advance(edited, std::array{value}, [&](const Activations& activations) {
    ValidRows rows = valid_rows(activations);
    if (change) change(rows);
    width = rows.width;
    train.append(rows, 0, rows.train);
    held_out.append(rows, rows.train, rows.count());
    if (train.count >= kRowsAtOnce) train.add_to(moments.train, width, false, pool);
    if (held_out.count >= kRowsAtOnce) held_out.add_to(moments.held_out, width, true, pool);
    moments.skipped_rows += rows.skipped;
  });
  train.add_to(moments.train, width, false, pool);
  held_out.add_to(moments.held_out, width, true, pool);
  return moments;
}

}  // namespace onnxpress
