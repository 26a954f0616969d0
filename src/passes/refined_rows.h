// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/transformer_view.h"
#include "passes/pass.h"

namespace onnxpress {

// `count` rows of a table that are worth more bits than others, in increasing order: those that the
// data look up, most often first, where the indices are the data of an input as they stand; then
// those of the lowest numbers, which tokenizers give to common words. `calibration` may be nullptr.
[[nodiscard]] std::vector<std::int64_t> rows_to_refine(const Embedding& embedding,
                                                       const Graph& graph,
                                                       const Calibration* calibration,
                                                       std::int64_t count);

}  // namespace onnxpress
