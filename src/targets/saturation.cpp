// SPDX-License-Identifier: Apache-2.0
#include "targets/saturation.h"

#include <algorithm>

namespace onnxpress {
namespace {

// Two products, each with an input of its own: those whose weight has the other sign may be 0.
bool can_saturate(int a, int b) {
  constexpr int kLargestInput = 255;
  const int highest = kLargestInput * (std::max(a, 0) + std::max(b, 0));
  const int lowest = kLargestInput * (std::min(a, 0) + std::min(b, 0));
  return highest > INT16_MAX || lowest < INT16_MIN;
}

}  // namespace

PairSums count_pair_sums(const Tensor& weight, bool turned) {
  PairSums sums;
  if (weight.rank() != 2 || weight.dtype() != DType::int8) return sums;
  const auto codes = weight.as<std::int8_t>();
  const std::int64_t columns = weight.dims()[1];
  const std::int64_t in = weight.dims()[turned ? 1 : 0];
  const std::int64_t out = weight.dims()[turned ? 0 : 1];
  const auto at = [&](std::int64_t i, std::int64_t o) -> int {
    if (i >= in) return 0;  // kernels fill up with zeros
    return codes[static_cast<std::size_t>(turned ? o * columns + i : i * columns + o)];
  };
  for (std::int64_t i = 0; i < in; i += 2) {
    for (std::int64_t o = 0; o < out; ++o) {
      ++sums.pairs;
      sums.can_saturate += can_saturate(at(i, o), at(i + 1, o)) ? 1 : 0;
    }
  }
  return sums;
}

}  // namespace onnxpress
