// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace onnxpress::patterns {

enum class ActivationKind {
  relu,
  relu_squared,
  gelu,        // x Φ(x), by Erf
  gelu_tanh,   // its approximation by Tanh
  quick_gelu,  // x σ(1.702 x)
  silu,        // x σ(x)
  mish,        // x tanh(softplus(x))
  hard_swish,  // x clip(x/6 + 1/2, 0, 1)
  tanh,
  sigmoid,
  other,  // another function of one value, element by element (Elu, LeakyRelu, …)
};

struct ActivationMatch {
  ActivationKind kind = ActivationKind::other;
  ValueId input = kNoValue;
  ValueId bias = kNoValue;  // BiasGelu and FastGelu: a vector that is added to the input first
  ValueId output = kNoValue;
  NodeId anchor{};
  std::vector<NodeId> nodes;  // what the match covers, in the order of computation
};

[[nodiscard]] std::string_view name(ActivationKind kind);  // "gelu", "gelu_tanh", …

// Recognises an activation by its anchor: the node that is not linear in x (Erf, Tanh, Sigmoid,
// Relu, Gelu, …). Constants may stand anywhere: x·0.5·(1 + erf(x/√2)), 0.5·x + 0.5·x·erf(0.7071·x),
// x·σ(1.5958·x + 0.0714·x³), … A Tanh or Sigmoid that is no part of a bigger function matches by
// itself. Nothing for nodes that are no activation.
[[nodiscard]] std::optional<ActivationMatch> match_activation(const Graph& graph, NodeId anchor);

}  // namespace onnxpress::patterns
