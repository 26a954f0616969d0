// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/concrete_sizes.h"

#include <array>
#include <cstddef>
#include <map>
#include <string>

namespace onnxpress {

std::vector<GrantedSize> concrete_sizes(const Graph& graph) {
  constexpr std::array<std::int64_t, 12> kPrimes = {10007, 10009, 10037, 10039, 10061, 10067,
                                                    10069, 10079, 10091, 10093, 10099, 10103};
  std::map<std::string, std::int64_t> by_name;
  std::vector<GrantedSize> sizes;
  for (const ValueId input : graph.inputs()) {
    const Value& value = graph.value(input);
    if (!value.shape) continue;
    for (std::size_t axis = 0; axis < value.shape->size(); ++axis) {
      const Dim& dim = (*value.shape)[axis];
      if (dim.known() || dim.symbol.empty()) continue;
      if (!by_name.contains(dim.symbol)) {
        if (by_name.size() == kPrimes.size()) continue;
        by_name.emplace(dim.symbol, kPrimes.at(by_name.size()));
      }
      sizes.push_back({input, axis, by_name.at(dim.symbol)});
    }
  }
  return sizes;
}

}  // namespace onnxpress
