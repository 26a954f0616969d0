// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "calib/moments.h"

namespace onnxpress {

// Moments of all rows, those that were held out too: to solve on once it is known what helps. Of
// the original model's input there are only the sums.
[[nodiscard]] PairGram all_rows(const StageMoments& moments);

}  // namespace onnxpress
