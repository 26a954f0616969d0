// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "data/input_spec.h"

namespace onnxpress {

// What an input of a model takes from tokens.
enum class TokenRole { ids, mask, types, positions };

// By the input's name (input_ids, attention_mask, token_type_ids, position_ids, or as other
// exporters call them); an integer input of rank 2 with any name takes the ids if it is the only
// one. Nothing where tokens can't fill the input.
[[nodiscard]] std::optional<TokenRole> token_role(const InputSpec& input,
                                                  std::span<const InputSpec> all);

// The number of tokens that the inputs fix.
[[nodiscard]] std::optional<std::size_t> fixed_length(std::span<const InputSpec> inputs);
// The number of samples that the inputs fix.
[[nodiscard]] std::optional<std::size_t> fixed_batch(std::span<const InputSpec> inputs);

}  // namespace onnxpress
