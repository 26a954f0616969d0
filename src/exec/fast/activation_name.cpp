// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/activation_name.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error_codes.h"

namespace onnxpress::exec::fast {
namespace {

constexpr std::array<std::pair<std::string_view, Activation>, 7> kNames{{
    {"", Activation::none},
    {"relu", Activation::relu},
    {"gelu", Activation::gelu},
    {"gelu_tanh", Activation::gelu_tanh},
    {"silu", Activation::silu},
    {"tanh", Activation::tanh},
    {"sigmoid", Activation::sigmoid},
}};

}  // namespace

std::optional<Activation> parse_activation(std::string_view name) {
  for (const auto& [known, activation] : kNames) {
    if (known == name) return activation;
  }
  return std::nullopt;
}

Activation activation_of(const Node& node) {
  const std::string text = node.attributes.get_string("activation", "");
  if (const auto activation = parse_activation(text)) return *activation;
  throw Error(codes::internal_error, fmt::format("no fast activation \"{}\"", text));
}

}  // namespace onnxpress::exec::fast
