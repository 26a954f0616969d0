// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ir/graph.h"

namespace onnxpress {

// Passes edit graphs in place, so that a value that none of them replaced has the same id and name
// in the model as it came. "" if `value` is such a value, or why it can't be compared.
[[nodiscard]] std::string why_not_comparable(const Graph& original, const Graph& edited,
                                             ValueId value);

}  // namespace onnxpress
