// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>

#include "numerics/smoothing.h"
#include "passes/pass.h"

namespace onnxpress {

// Runs the calibration data through the model once and hands over what find_scales() wants to know
// of each value, in the order of `values`, which must be one in which the graph computes them. A
// few tensors' rows are in memory at a time. A value without any valid row has 0 channels.
void observe_smoothing_inputs(const Model& model, std::span<const ValueId> values,
                              const Calibration& calibration,
                              const std::function<void(double)>& progress,
                              const std::function<void(ValueId, SmoothingInput&&)>& take);

}  // namespace onnxpress
