// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

namespace onnxpress::io {

// Throws Error (empty_file, not_onnx) if the bytes are empty or those of another known format,
// which the message names. Says nothing about whether they are a whole model.
void refuse_other_formats(std::span<const std::byte> bytes);

}  // namespace onnxpress::io
