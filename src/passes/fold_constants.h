// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"

namespace onnxpress {

// Computes what depends on constants only, once and for all, with our executor, and removes nodes
// that nobody reads. Lossless: only operators whose result does not depend on who computes it are
// folded (moves, integers, comparisons, and single float additions, products, quotients and roots,
// which IEEE 754 fixes to the bit). Left alone are random numbers, bodies, inputs that callers may
// override, graph outputs, and whatever would make the file larger than a few kilobytes more than
// it was: Expand, Tile or ConstantOfShape to a huge size is never materialised.
[[nodiscard]] PassInfo fold_constants_info();

}  // namespace onnxpress
