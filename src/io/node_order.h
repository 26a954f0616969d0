// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/wire.h"

namespace onnxpress::io {

// The NodeProtos in an order in which each stands behind the producers of what it reads, near to
// the given one. Throws Error (graph_malformed) on a cycle, naming its nodes.
[[nodiscard]] std::vector<Bytes> sorted_nodes(const std::vector<Bytes>& nodes);

// Says why `name` was not there when the node at `at` was reached: if a node from there on produces
// it, throws Error (graph_malformed) that names the cycle or the pair of nodes in the wrong order.
// `nodes`: the NodeProtos of a graph; `reader`: who wanted the value.
void explain_order(const std::vector<Bytes>& nodes, std::size_t at, std::string_view name,
                   const std::string& reader);

}  // namespace onnxpress::io
