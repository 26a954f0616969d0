// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "io/read_context.h"
#include "ir/tensor.h"

namespace onnxpress::io {

// A TensorProto: its name, its elements, and the fields that Tensor does not model (documentation,
// metadata, unknown ones) as wire bytes.
struct NamedTensor {
  std::string name;
  Tensor tensor;
  std::string extra;
};

// Reads a TensorProto. Elements in raw_data or external data share those bytes; elements in typed
// fields are converted to raw bytes. `where` names the tensor in messages where it has no name.
// Throws Error (tensor_size, tensor_malformed, external_data, unsupported_model, broken_wire).
[[nodiscard]] NamedTensor read_tensor(Bytes message, std::string_view where, ReadContext& context);

}  // namespace onnxpress::io
