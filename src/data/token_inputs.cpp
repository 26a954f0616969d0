// SPDX-License-Identifier: Apache-2.0
#include "data/token_inputs.h"

#include <algorithm>
#include <array>
#include <utility>

namespace onnxpress {
namespace {

constexpr std::array<std::pair<std::string_view, TokenRole>, 6> kNames = {{
    {"input_ids", TokenRole::ids},
    {"attention_mask", TokenRole::mask},
    {"input_mask", TokenRole::mask},
    {"token_type_ids", TokenRole::types},
    {"segment_ids", TokenRole::types},
    {"position_ids", TokenRole::positions},
}};

std::optional<TokenRole> role_of_name(std::string_view name) {
  if (name.ends_with(":0")) name.remove_suffix(2);  // TensorFlow's exporter
  for (const auto& [known, role] : kNames) {
    if (name == known) return role;
  }
  return std::nullopt;
}

bool may_hold_tokens(const InputSpec& input) {
  return (input.dtype == DType::int64 || input.dtype == DType::int32) && input.shape.size() == 2;
}

// The size that all inputs which fix this axis agree on, if one does.
std::optional<std::size_t> fixed_size(std::span<const InputSpec> inputs, std::size_t axis) {
  for (const InputSpec& input : inputs) {
    if (input.shape.size() > axis && input.shape[axis].known()) {
      return static_cast<std::size_t>(input.shape[axis].size);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TokenRole> token_role(const InputSpec& input, std::span<const InputSpec> all) {
  if (const auto role = role_of_name(input.name)) return role;
  const bool named = std::ranges::any_of(
      all, [](const InputSpec& i) { return role_of_name(i.name) == TokenRole::ids; });
  const auto unnamed = std::ranges::count_if(
      all, [](const InputSpec& i) { return !role_of_name(i.name) && may_hold_tokens(i); });
  if (!named && unnamed == 1 && may_hold_tokens(input)) return TokenRole::ids;
  return std::nullopt;
}

std::optional<std::size_t> fixed_length(std::span<const InputSpec> inputs) {
  for (const InputSpec& input : inputs) {
    const auto role = token_role(input, inputs);
    if (!role || input.shape.size() != 2) continue;
    if (const auto size = fixed_size({&input, 1}, 1)) return size;
  }
  return std::nullopt;
}

std::optional<std::size_t> fixed_batch(std::span<const InputSpec> inputs) {
  const auto size = fixed_size(inputs, 0);
  return size == 0 ? std::nullopt : size;
}

}  // namespace onnxpress
