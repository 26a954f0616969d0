// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "ir/graph.h"
#include "numerics/activation_grid.h"

namespace onnxpress {

// Adds QuantizeLinear, per channel (the last axis) where the grid is, and a DequantizeLinear with
// one scale, between which runtimes find an integer product's input. Returns what is read: X / s,
// shifted by step · (zero_j - zero).
[[nodiscard]] ValueId pack_static_input(Graph& graph, ValueId x, const ActivationGrid& grid,
                                        std::string_view hint);

// Bytes of the constants that it adds.
[[nodiscard]] std::int64_t static_input_bytes(bool per_channel, std::int64_t channels);

}  // namespace onnxpress
