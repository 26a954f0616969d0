// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "model/linear_unit.h"
#include "numerics/matrix.h"

namespace onnxpress {

// The unit's weights as [in, out].
[[nodiscard]] Matrix weights_of(const Graph& graph, const LinearUnit& unit);
// Puts weights of the same sizes in their place, stored as they were, and adds `bias_change` (may
// be empty) to the unit's own bias.
void set_weights(Graph& graph, const LinearUnit& unit, const Matrix& w,
                 std::span<const float> bias_change);
// Why other numbers can't be put in place of the unit's weights; "" where they can.
[[nodiscard]] std::string why_fixed(const Graph& graph, const LinearUnit& unit);

// What is added to the unit's output behind its bias: the residual branch. kNoValue where there is
// nothing of the kind.
[[nodiscard]] ValueId residual_beside(const Graph& graph, const LinearUnit& unit);

// The only token whose row of `value` [batch, tokens, channels] the model's outputs depend on: a
// classifier that looks at the first token leaves the last layer's others unread. Nothing where
// more are read or it is not known.
[[nodiscard]] std::optional<std::int64_t> only_token_read(const Graph& graph, ValueId value);

}  // namespace onnxpress
