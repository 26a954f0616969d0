// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "io/wire.h"
#include "ir/dtype.h"
#include "ir/shape.h"

namespace onnxpress::io {

// A ValueInfoProto. `rest` holds, as wire bytes, what type and shape do not say: documentation,
// metadata, unknown fields, and the whole type where it is more than a plain tensor type
// (sequences, denotations, …).
struct ValueInfo {
  std::string name;
  DType dtype = DType::undefined;
  std::optional<Shape> shape;
  std::string rest;
};

// Throws Error (broken_wire, graph_malformed).
[[nodiscard]] ValueInfo read_value_info(Bytes message);

// The fields of a ValueInfoProto, `rest` included.
[[nodiscard]] std::string write_value_info(const ValueInfo& info);

}  // namespace onnxpress::io
