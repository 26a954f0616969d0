// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "io/read_context.h"
#include "ir/attributes.h"
#include "ir/graph.h"

namespace onnxpress::io {

// The numbers of AttributeProto.AttributeType.
enum class AttributeType : std::int32_t {
  undefined = 0,
  float_value = 1,
  int_value = 2,
  string_value = 3,
  tensor = 4,
  graph = 5,
  floats = 6,
  ints = 7,
  strings = 8,
  tensors = 9,
  graphs = 10,
  sparse_tensor = 11,
  sparse_tensors = 12,
  type_proto = 13,
  type_protos = 14,
};

// The field of AttributeProto that holds the value of an attribute of that type; 0 for numbers that
// are no types.
[[nodiscard]] std::uint32_t value_field(AttributeType type);

// Reads an AttributeProto; bodies are read by `read_body`. What a tensor carries besides its
// elements goes into Attribute::extra as further occurrences of the tensor's own field, which is
// how protobuf merges them. Throws Error (attribute_malformed, …).
[[nodiscard]] Attribute read_attribute(Bytes message, ReadContext& context,
                                       const std::function<Graph(Bytes)>& read_body);

}  // namespace onnxpress::io
