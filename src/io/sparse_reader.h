// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "io/tensor_reader.h"

namespace onnxpress::io {

// Reads a SparseTensorProto into the dense tensor it stands for, named as its values are. Throws
// Error (tensor_malformed) unless values and indices fit together and the indices are in range,
// sorted and unique.
[[nodiscard]] NamedTensor read_sparse_tensor(Bytes message, std::string_view where,
                                             ReadContext& context);

}  // namespace onnxpress::io
