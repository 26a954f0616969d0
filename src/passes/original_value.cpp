// SPDX-License-Identifier: Apache-2.0
#include "passes/original_value.h"

#include <fmt/format.h>

#include <algorithm>

namespace onnxpress {

std::string why_not_comparable(const Graph& original, const Graph& edited, ValueId value,
                               NodeId reader) {
  const std::string& name = edited.value(value).name;
  const auto known = original.find_value(name);
  if (known == value) {
    const auto& uses = original.value(value).uses;
    if (std::ranges::find(uses, reader, &Use::node) != uses.end()) return "";
    return fmt::format("an earlier pass made it read \"{}\" in the place of another value", name);
  }
  return fmt::format("an earlier pass replaced what it reads: the original has no \"{}\"", name);
}

}  // namespace onnxpress
