// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "ir/graph.h"

// What the fusions have in common. Each of them looks at the whole graph once, matches completely
// and only then edits; it returns how many nodes of kFusedDomain it made.
namespace onnxpress::exec {

[[nodiscard]] bool is_float32(const Graph& graph, ValueId value);

// A value that will be a constant matrix of this type when weights are packed: a constant, or a
// DequantizeLinear (and Transpose) of constants, which is computed once after fusion.
[[nodiscard]] bool is_weight_matrix(const Graph& graph, ValueId value);

// The node that reads `value`, if only one does, it is of this type, and nobody outside wants the
// value.
[[nodiscard]] std::optional<NodeId> only_reader(const Graph& graph, ValueId value,
                                                std::string_view op_type);
// The same for a node of kFusedDomain.
[[nodiscard]] bool is_fused(const Node& node, std::string_view op_type);

// Erases `nodes` and lets one node of kFusedDomain compute `output`, which one of them computed.
NodeId replace(Graph& graph, std::span<const NodeId> nodes, std::string_view op_type,
               std::vector<ValueId> inputs, Attributes attributes, ValueId output);

// The nodes of the graph as they are now, for loops that edit it.
[[nodiscard]] std::vector<NodeId> nodes_of(const Graph& graph);
// False for nodes that have been erased since.
[[nodiscard]] bool is_live(const Graph& graph, NodeId id);

// --- the fusions, in the order in which they are applied
std::size_t drop_casts(Graph& graph);  // to the type that is there already
std::size_t expand_block_products(Graph& graph);
std::size_t fuse_embeddings(Graph& graph);
std::size_t fuse_norms(Graph& graph);
std::size_t fuse_activations(Graph& graph);
std::size_t fuse_attention(Graph& graph, std::int64_t opset);
std::size_t fuse_integer_products(Graph& graph);
std::size_t fuse_products(Graph& graph);
std::size_t fuse_epilogues(Graph& graph);
std::size_t fuse_residual_norms(Graph& graph);

}  // namespace onnxpress::exec
