// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ir/graph.h"
#include "model/symbolic_shapes.h"

namespace onnxpress {

// What a Slice (opset 10 or newer) takes along one axis of its input.
struct SliceRange {
  bool given = false;     // false: all of it
  std::size_t entry = 0;  // of starts and ends
  std::int64_t begin = 0, count = 0;
};

// Nothing where it is not known, or where the Slice goes backwards or in steps.
[[nodiscard]] std::optional<SliceRange> slice_along(const SymbolicShapes& shapes, const Node& node,
                                                    std::size_t axis);

}  // namespace onnxpress
