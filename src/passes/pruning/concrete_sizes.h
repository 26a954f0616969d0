// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ir/graph.h"
#include "model/symbolic_shapes.h"

namespace onnxpress {

// A number for each named size of the graph's inputs, all large primes, so that no other size is
// mistaken for one. With these nearly all shapes are known; where only symbols stand for sizes, a
// mask that is added to scores may be as long as they are, or one place. What is true of all sizes
// is true of these; numbers that are read off such shapes must not be written into the model.
//
//   input_ids [batch, sequence], attention_mask [batch, sequence] → batch 10007, sequence 10009
[[nodiscard]] std::vector<GrantedSize> concrete_sizes(const Graph& graph);

}  // namespace onnxpress
