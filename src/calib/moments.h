// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "calib/staged_run.h"
#include "numerics/gram.h"

namespace onnxpress {

// What a layer's input looks like now and looked like in the original model: rows to solve on, and
// rows to judge by (CalibrationSet::held_out). Of the former's original there are only the sums: no
// solver asks for the products.
struct StageMoments {
  PairGram train;
  PairGram held_out;
  std::int64_t skipped_rows = 0;  // with NaN or infinity
};

// The valid rows of an activation as floats, [count, width], those that are held out last. Rows
// with NaN or infinity in either tensor are left out and counted. `original` is empty if there is
// none.
struct ValidRows {
  std::int64_t width = 0, train = 0, held_out = 0, skipped = 0;
  std::vector<float> edited, original;
  std::vector<std::int64_t> sample, in_sample;  // where each row comes from
  [[nodiscard]] std::int64_t count() const { return train + held_out; }
};
[[nodiscard]] ValidRows valid_rows(const Activations& activations);

// Runs the data up to `value` and sums the moments of its rows. `change` (may be empty) is applied
// to the rows of the edited model first: what a quantizer that is not in the graph yet will do to
// them.
[[nodiscard]] StageMoments observe_moments(StagedRun& run, const Model& edited, ValueId value,
                                           ThreadPool& pool,
                                           const std::function<void(ValidRows&)>& change = {});

}  // namespace onnxpress
