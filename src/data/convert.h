// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "data/input_spec.h"
#include "ir/tensor.h"

namespace onnxpress {

// The tensor in the element type of an input: between integers (and from them to boolean or, as
// exporters do with masks, to floats) if no value changes, between floats by rounding. Throws Error
// (bad_data) for other types, values that do not fit, or a shape that the input does not take.
[[nodiscard]] Tensor convert(const Tensor& tensor, const InputSpec& input);

}  // namespace onnxpress
