// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "passes/pruning/cut_spread.h"

namespace onnxpress {

// Derives all shapes of a graph that was cut and compares them with those `before`: what the spread
// names must be smaller by what went, all else as large as it was, and no number that was read off
// a shape may have changed and then serve as anything but a size. Returns "" or what is wrong.
[[nodiscard]] std::string check_cut(const SymbolicShapes& before, const Graph& after,
                                    const CutSpread& spread);

}  // namespace onnxpress
