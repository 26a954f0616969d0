// SPDX-License-Identifier: Apache-2.0
#include "passes/stages.h"

#include <algorithm>
#include <map>

namespace onnxpress {

std::vector<Stage> stages_of(const PassPlan& plan, const TransformerView& view,
                             const Graph& graph) {
  std::map<NodeId, std::size_t> position;
  for (const NodeId id : graph.nodes()) position.emplace(id, position.size());
  std::vector<std::pair<std::size_t, std::size_t>> order;  // position of the product, row
  for (std::size_t row = 0; row < plan.units.size(); ++row) {
    if (plan.units[row].decision != Decision::change) continue;
    const LinearUnit& unit = view.units()[static_cast<std::size_t>(plan.units[row].target)];
    order.emplace_back(position.at(unit.product), row);
  }
  std::ranges::sort(order);
  std::vector<Stage> stages;
  std::map<ValueId, std::size_t> stage_of;
  for (const auto& [at, row] : order) {
    const ValueId input = view.units()[static_cast<std::size_t>(plan.units[row].target)].input;
    const auto [known, fresh] = stage_of.emplace(input, stages.size());
    if (fresh) stages.push_back({input, {}});
    stages[known->second].rows.push_back(row);
  }
  return stages;
}

}  // namespace onnxpress
