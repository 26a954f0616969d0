// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ir/graph.h"

namespace onnxpress {

// Passes edit graphs in place, so that a value that none of them replaced has the same id and name
// in the model as it came. "" if `value` is such a value and `reader` reads it there, too; or why
// what flows through it can't be compared: where a layer was dropped, another value takes the place
// of the one that was read.
[[nodiscard]] std::string why_not_comparable(const Graph& original, const Graph& edited,
                                             ValueId value, NodeId reader);

}  // namespace onnxpress
