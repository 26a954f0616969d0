// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// A constant that need not be stored, since another one holds the same.
struct EqualTensor {
  ValueId duplicate = kNoValue;
  ValueId original = kNoValue;
  bool transposed = false;  // the duplicate is the original's transpose
};

// Constants with equal type, shape and bytes, and matrices of at least `min_transposed_bytes` that
// are transposes of each other; each duplicate once, in order of ids. An original is never a
// duplicate itself. Graph outputs and overridable inputs are no duplicates.
[[nodiscard]] std::vector<EqualTensor> find_equal_tensors(const Graph& graph,
                                                          std::int64_t min_transposed_bytes);

}  // namespace onnxpress
