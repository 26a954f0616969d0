// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "ir/graph.h"
#include "numerics/quantized_matrix.h"

namespace onnxpress {

// What DynamicQuantizeLinear makes of a tensor; to be shared by all products that read it.
struct DynamicInput {
  ValueId codes = kNoValue;       // uint8
  ValueId scale = kNoValue;       // float scalar
  ValueId zero_point = kNoValue;  // uint8 scalar
};
[[nodiscard]] DynamicInput quantize_input(Graph& graph, ValueId x, std::string_view hint);

// A weight ready for integer_product().
struct IntegerWeight {
  ValueId codes = kNoValue;       // int8 or uint8 [in, out], an initializer or its transpose
  ValueId scales = kNoValue;      // float [out], or a scalar
  ValueId zero_point = kNoValue;  // a scalar, of uint8 only
};

// Adds "<hint>_q" and "<hint>_scale"; for UINT8 also "<hint>_zero". A matrix stored [out, in] is
// transposed, or, with `keep_layout`, stands behind a Transpose node, so that others can read it as
// it is. `q` must have one scale a column or for all of it, and be symmetric or have the same zero
// point for all.
[[nodiscard]] IntegerWeight pack_integer(Graph& graph, QuantizedMatrix q, std::string_view hint,
                                         bool keep_layout = false);
// The matrix that a MatMulInteger multiplies with and its scales, bit for bit, as integer_product()
// and pack_integer() write them; nothing if the node or what follows it is something else. The
// layout is that of the stored codes, the grid INT8 or UINT8.
[[nodiscard]] std::optional<QuantizedMatrix> unpack_integer(const Graph& graph, NodeId product);

// x·W in float: MatMulInteger, Cast, and the product with both scales. `output`, which must have no
// producer, becomes its result. Exact but for the rounding of the inputs and the last product. The
// product is named for `hint`, what lies behind it for the weight.
void integer_product(Graph& graph, const DynamicInput& x, const IntegerWeight& w, ValueId output,
                     std::string_view hint);

}  // namespace onnxpress
