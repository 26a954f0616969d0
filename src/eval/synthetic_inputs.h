// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "data/input_spec.h"
#include "eval/task.h"
#include "exec/session.h"

namespace onnxpress {

// Sizes of what a model is timed on.
struct InputSizes {
  std::int64_t batch = 1;
  std::int64_t sequence = 128;
};

// Inputs of the right names, types and shapes with made-up contents, the same every time: random
// ids where a table is looked up (never beyond it), ones in masks, uniform numbers in [-1, 1] for
// floats. Of the sizes that a shape leaves open the first is the batch, the others the sequence;
// sizes of a past (key/value caches) are 0.
[[nodiscard]] TensorMap synthetic_inputs(std::span<const InputSpec> inputs,
                                         std::span<const LookedUpInput> looked_up,
                                         const InputSizes& sizes);

// The sizes that the model's inputs and tables allow: fixed sizes win, and the sequence is no
// longer than a table of positions has rows (a table that is looked up with a range of the input's
// length) or 0 where no input has a sequence.
[[nodiscard]] InputSizes fitting_sizes(std::span<const InputSpec> inputs, InputSizes wanted);

}  // namespace onnxpress
