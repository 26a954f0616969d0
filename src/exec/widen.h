// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "ir/graph.h"

namespace onnxpress::exec {

// Makes a graph that computes in 16-bit floats compute in float32 instead, as ONNX Runtime does on
// CPUs: no CPU kernel is faster on them, and rounding each step would only lose accuracy. Inputs
// and outputs keep their types; tables that are only gathered from keep their 16 bits.
// `types`: the element type of every value, by ValueId.
void compute_halves_as_floats(Graph& graph, std::span<const DType> types);

}  // namespace onnxpress::exec
