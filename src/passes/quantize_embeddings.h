// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Embedding tables as codes: INT8 with one scale per row, or fewer bits, or groups along the row.
// Only the rows that are looked up are ever dequantized (see passes/table_lookups.h). A table that
// is the output head's weight as well is stored once for both.
[[nodiscard]] PassInfo quantize_embeddings_info();

}  // namespace onnxpress
