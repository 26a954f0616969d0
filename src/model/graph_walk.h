// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "ir/graph.h"

// How data flow through the nodes between the parts of a transformer.
namespace onnxpress {

// MatMul, Gemm, Einsum and their quantized or fused kin.
[[nodiscard]] bool is_product(const Node& node);
// Of these, the ones that the view lists (all but Einsum).
[[nodiscard]] bool is_listed_product(const Node& node);
// A product of integers, or with a weight in a quantized storage form.
[[nodiscard]] bool is_quantized_product(const Node& node);

// The inputs that carry a node's data; not shapes, indices, conditions, scales.
[[nodiscard]] std::vector<ValueId> data_inputs(const Node& node);

// True for nodes that only move, convert or cut the elements of their first input: Reshape,
// Transpose, Cast, Split, Slice, Gather by a constant, QuantizeLinear, …
[[nodiscard]] bool only_moves(const Graph& graph, const Node& node);

// The input whose elements come out of `node` moved, or scaled and shifted by constants; kNoValue
// for anything else.
[[nodiscard]] ValueId transparent_input(const Graph& graph, const Node& node);

// True for values that do not depend on the inputs of the graph: constants, and what is computed
// from nothing else (within a few nodes).
[[nodiscard]] bool is_constant_like(const Graph& graph, ValueId value);

}  // namespace onnxpress
