// SPDX-License-Identifier: Apache-2.0
#include "exec/kernel.h"

#include <fmt/format.h>

#include "base/error_codes.h"

namespace onnxpress::exec {

std::span<const std::int64_t> KernelContext::ints(std::string_view attribute) const {
  const Attribute* found = node_->attributes.find(attribute);
  if (found == nullptr) return {};
  const auto* values = std::get_if<std::vector<std::int64_t>>(&found->value);
  if (values == nullptr) {
    throw Error(codes::attribute_malformed,
                fmt::format("attribute \"{}\" has the wrong type", attribute));
  }
  return *values;
}

void KernelContext::throw_missing_input(std::size_t i) {
  throw Error(codes::graph_malformed, fmt::format("input {} is required but left out", i));
}

}  // namespace onnxpress::exec
