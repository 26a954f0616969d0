// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "numerics/weight_ref.h"
#include "passes/pass.h"

namespace onnxpress {

// Why a weight can't be rounded because of the numbers it holds (NaN or infinity); "" if it can.
// Adds to the plan's warnings what its owner should know: which number is not finite, or which
// channels hold one weight so large that rounding loses all others. `channel` is what its outputs
// are called: "output channel", or "row" of a table.
[[nodiscard]] std::string refuse_odd_weight(const WeightRef& w, std::string_view label,
                                            std::string_view channel, ThreadPool& pool,
                                            PassPlan& plan);

}  // namespace onnxpress
