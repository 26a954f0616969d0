// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ir/tensor.h"

namespace onnxpress {

// CPUs without VNNI multiply UINT8 by INT8 with an instruction (pmaddubsw) that adds two
// neighbouring products along the inputs into 16 bits, and stops at their ends.
struct PairSums {
  std::int64_t pairs = 0;
  std::int64_t can_saturate = 0;  // some two inputs 0 … 255 lead beyond -32768 … 32767
};

// `weight`: INT8 [in, out], or [out, in] where it is `turned`.
[[nodiscard]] PairSums count_pair_sums(const Tensor& weight, bool turned);

}  // namespace onnxpress
