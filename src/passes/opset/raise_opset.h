// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "ir/graph.h"

namespace onnxpress {

// Raises the model to opset `target` of ai.onnx, 10 to 21: every node, also in the bodies of If,
// Loop and Scan, is rewritten so that it means in the new opset what it meant in the old one, and
// the IR version becomes that of the opset. Does nothing where the model has the opset or a newer
// one. Returns how many nodes had to be rewritten, by operator.
//
// Throws Error (unsupported_model), naming node and versions, where an operator's change can't be
// applied, and for models that are older than opset 9 or call functions of their own; the model is
// then as it was.
//
//   raise_opset(model, 21);   // Squeeze(x) <axes = [0]>  becomes  Squeeze(x, axes)
std::map<std::string, std::size_t> raise_opset(Model& model, std::int64_t target);

}  // namespace onnxpress
