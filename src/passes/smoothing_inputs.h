// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>

#include "calib/observers/reservoir.h"
#include "calib/staged_run.h"
#include "numerics/smoothing.h"
#include "passes/pass.h"

namespace onnxpress {

// Gathers what searches for scales and ranges want to know of one activation, batch by batch.
class SmoothingObserver {
 public:
  // The edited model's rows count.
  void add(const Activations& activations);
  // To be called once. 0 channels if there was no valid row to solve on.
  [[nodiscard]] SmoothingInput result();

 private:
  void start(std::int64_t width);
  void add_range(const Tensor& tensor);

  SmoothingInput input_;
  RowReservoir train_, held_out_;
  std::int64_t count_ = 0;
};

// Hands over what find_scales() wants to know of each value of a model, in the order of `values`,
// which must be one in which the graph computes them: from the calibration file where it keeps
// rows, else by running the data once, a few tensors' rows in memory at a time. A value of which
// nothing is known has 0 channels.
void observe_smoothing_inputs(const Model& model, std::span<const ValueId> values,
                              const PassContext& context,
                              const std::function<void(double)>& progress,
                              const std::function<void(ValueId, SmoothingInput&&)>& take);

// What y = x̂·gain + shift is expected to look like where x̂ is normalised: channels of standard
// normal numbers. gain and shift may be nullptr: ones, zeros. Channel i is their column columns[i].
[[nodiscard]] SmoothingInput expected_of_norm(const Tensor* gain, const Tensor* shift,
                                              std::span<const std::int32_t> columns);

// Whether there are data, or a calibration file with rows.
[[nodiscard]] bool has_smoothing_inputs(const PassContext& context);

}  // namespace onnxpress
