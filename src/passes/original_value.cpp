// SPDX-License-Identifier: Apache-2.0
#include "passes/original_value.h"

#include <fmt/format.h>

namespace onnxpress {

std::string why_not_comparable(const Graph& original, const Graph& edited, ValueId value) {
  const std::string& name = edited.value(value).name;
  const auto known = original.find_value(name);
  if (known == value) {
    const Value& there = original.value(value);
    if (there.producer || there.is_input) return "";
  }
  return fmt::format("an earlier pass replaced what it reads: the original has no \"{}\"", name);
}

}  // namespace onnxpress
