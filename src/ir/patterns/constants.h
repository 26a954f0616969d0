// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ir/graph.h"

// What the pattern matchers have in common: reading constants wherever an exporter put them, and
// saying which nodes a match covers. No matcher looks at a name of a node or value.
namespace onnxpress::patterns {

// The value behind nodes that change nothing but the element type or nothing at all (Identity,
// Cast, Dropout at inference).
[[nodiscard]] ValueId behind_casts(const Graph& graph, ValueId value);

// The tensor of a constant that nobody can override, also behind nodes that keep its elements
// (Identity, Cast, Unsqueeze, Squeeze, Reshape, Expand, Flatten). Its type and shape may then
// differ from those of `value`. nullptr where the value is computed or is a graph input.
[[nodiscard]] const Tensor* constant_behind(const Graph& graph, ValueId value);

// The number that a value holds if it is a constant whose elements are all equal, also where the
// graph computes it from such constants (Sqrt, Reciprocal, Neg, Mul, Div, Add, Sub, Pow).
[[nodiscard]] std::optional<double> scalar_constant(const Graph& graph, ValueId value);

// True for numbers that a file may have rounded to half precision: within 0.1 % of each other.
[[nodiscard]] bool nearly_equal(double a, double b);

// The operand of a node with two inputs that is not `value`; kNoValue if `value` is neither or
// both.
[[nodiscard]] ValueId other_operand(const Node& node, ValueId value);

// True if of all that `nodes` compute only `output` is read by other nodes or is a graph output:
// the nodes can then be replaced by one that computes `output`.
[[nodiscard]] bool is_replaceable(const Graph& graph, std::span<const NodeId> nodes,
                                  ValueId output);

}  // namespace onnxpress::patterns
