// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ir/graph.h"

namespace onnxpress::io {

// Throws Error (internal_error) unless `written`, which was read back from a file, has the nodes,
// inputs, outputs and tensors of `model`.
void require_same(const Model& model, const Model& written);

}  // namespace onnxpress::io
