// SPDX-License-Identifier: Apache-2.0
#include "exec/fusion/fusion.h"

namespace onnxpress::exec {

void fuse(Graph& /*graph*/, std::int64_t /*opset*/) {}

}  // namespace onnxpress::exec
