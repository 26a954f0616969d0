// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "data/dataset.h"
#include "ir/graph.h"

namespace onnxpress {

// SHA-256 (64 hexadecimal digits) of what a model computes: its nodes, attributes, weights, and the
// names of its values. What does not matter to that, like documentation, metadata and where weights
// are stored, does not matter here.
[[nodiscard]] std::string fingerprint(const Model& model);

// Of the samples: their tokens or arrays, in order. Labels and file names don't matter.
[[nodiscard]] std::string fingerprint(const Dataset& data);

}  // namespace onnxpress
