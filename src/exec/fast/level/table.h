// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/fast/level/attention.h"
#include "exec/fast/level/product_int8.h"
#include "exec/fast/level/quantize.h"
#include "exec/fast/level/rows.h"

namespace onnxpress::exec::fast {
namespace {

// The functions as they are compiled in the including file.
constexpr Level level_of(InstructionSet set) {
  return {.instruction_set = set,
          .float_panel = kFloatPanel,
          .packed_floats = packed_floats,
          .pack_float = pack_float,
          .float_product = float_product,
          .integer_panel = kIntegerPanel,
          .packed_bytes = packed_bytes,
          .pack_integer = pack_integer,
          .arranged_bytes = arranged_bytes,
          .arrange = arrange,
          .integer_product = integer_product,
          .min_max = min_max,
          .quantize = quantize,
          .activate = activate,
          .exponential = exponential,
          .error_function = error_function,
          .softmax = softmax,
          .layer_norm = layer_norm,
          .rms_norm = rms_norm,
          .attention_scratch = attention_scratch,
          .attention = attention};
}

}  // namespace
}  // namespace onnxpress::exec::fast
