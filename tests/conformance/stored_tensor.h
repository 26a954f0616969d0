// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "ir/tensor.h"

namespace onnxpress::test {

// The tensor in a file that holds one TensorProto; nothing if it holds something else (a sequence,
// an optional) or text.
std::optional<Tensor> read_stored_tensor(const std::filesystem::path& path);

}  // namespace onnxpress::test
