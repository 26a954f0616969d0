// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "exec/fast/level/level.h"
#include "ir/graph.h"

namespace onnxpress::exec::fast {

// The activation of that name ("gelu", "tanh", …; "" is none), if there is a fast one.
[[nodiscard]] std::optional<Activation> parse_activation(std::string_view name);

// The attribute `activation` of a fused node. Throws Error (internal_error) if it is no activation.
[[nodiscard]] Activation activation_of(const Node& node);

}  // namespace onnxpress::exec::fast
