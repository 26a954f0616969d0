// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// INT8 embedding tables with one scale per row. A lookup gathers codes and scales and multiplies
// them, so only the rows that are needed are ever dequantized:
//
//   Gather(table, ids)  becomes  Cast(Gather(codes, ids)) · Unsqueeze(Gather(scales, ids))
//
// A table that is the output head's weight as well is stored once: the head reads the same codes
// through DequantizeLinear, where a row's scale is that of an output channel.
[[nodiscard]] PassInfo quantize_embeddings_info();

}  // namespace onnxpress
