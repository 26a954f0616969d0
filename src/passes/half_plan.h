// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace onnxpress {

// What becomes of float32 numbers that are rounded to float16.
struct HalfCounts {
  std::int64_t overflows = 0;   // finite, but over 65504 in magnitude
  std::int64_t vanishes = 0;    // not zero, but rounded to zero
  std::int64_t subnormals = 0;  // rounded to a subnormal: fewer than 11 bits are left
  std::int64_t nonzeros = 0;
};
[[nodiscard]] HalfCounts count_half(const Tensor& tensor, ThreadPool& pool);

// How a float32 constant is stored afterwards.
enum class HalfStorage { float32, float16, both };

struct HalfConstant {
  HalfCounts counts{};
  HalfStorage storage = HalfStorage::float32;
  bool kept = false;  // its numbers do not fit: what computes with it stays in float32
  [[nodiscard]] std::int64_t bytes(const Tensor& tensor) const;
};

// Which nodes of a graph can compute in float16, and how each constant is stored.
//
// A node stays in float32 if it
//   - is part of a norm or an activation, or an operator that loses too much (sums of squares,
//     roots, exponentials) or that has no float16 form;
//   - reads a constant whose numbers do not fit, or owns bodies;
//   - reads a number that may be huge: a mask of -3.4e38, a position, and what is computed from
//     them, until an operator bounds it again (Softmax, Sin, Tanh, …). So a mask never becomes an
//     infinity that makes NaN.
// The gain and shift of a norm that stays in float32 are stored so, too: few bytes, but their
// rounding moves the whole residual stream.
struct HalfPlan {
  std::vector<bool> node_in_float32;  // by NodeId
  std::vector<DType> types;           // of values before, by ValueId
  std::map<ValueId, HalfConstant> constants;
};
// `max_vanishing`: share of a tensor's numbers that may vanish. `compute` false: all nodes stay in
// float32, only constants are stored in float16.
[[nodiscard]] HalfPlan plan_half(PassContext& context, double max_vanishing, bool compute);

}  // namespace onnxpress
