// SPDX-License-Identifier: Apache-2.0
#include "passes/smoothing_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "numerics/quantize_rtn.h"
#include "passes/selection.h"

namespace onnxpress {
namespace {

// Why the unit itself is not to be scaled, whatever is in front of it.
std::vector<std::string> own_reasons(const Graph& graph, const TransformerView& view,
                                     const Selection& selection, ThreadPool& pool) {
  std::vector<std::string> reasons;
  for (UnitIndex i = 0; i < view.units().size(); ++i) {
    const LinearUnit& unit = view.units()[i];
    std::string why = why_rows_stay(graph, unit);
    if (why.empty()) why = selection.why_not(unit.label);
    const bool tied = view.head_tied_to_embedding() && view.output_head() == i;
    if (why.empty() && tied) why = "it holds what the embedding holds, and is stored once for both";
    if (why.empty() && graph.node(unit.product).attributes.get_int("transA", 0) != 0) {
      why = "its input is transposed";
    }
    if (why.empty()) {
      const auto w = weight_ref(*graph.constant(unit.weight), matrix_layout(unit.layout));
      if (!w) why = "the weight is not a matrix of floats";
      if (w && find_non_finite(*w, pool)) why = "the weight holds NaN or infinity";
    }
    reasons.push_back(std::move(why));
  }
  return reasons;
}

}  // namespace

SmoothingGroups smoothing_groups(const Graph& graph, const TransformerView& view,
                                 const UnitOptions& selection, bool insert_mul, ThreadPool& pool) {
  const Selection chosen(selection.include, selection.exclude);
  std::vector<std::string> labels;
  for (const LinearUnit& unit : view.units()) labels.push_back(unit.label);
  SmoothingGroups found;
  found.unmatched_globs = chosen.unmatched(labels);
  found.folds = find_channel_folds(graph, view);
  const std::vector<std::string> own = own_reasons(graph, view, chosen, pool);
  found.why_not = own;

  const auto tiny = [&](UnitIndex i) { return !view.units()[i].compressible(); };
  std::vector<SmoothingGroup> groups;
  for (std::size_t f = 0; f < found.folds.folds.size(); ++f) {
    SmoothingGroup group{{}, f};
    for (const ChannelReader& reader : found.folds.folds[f].readers) {
      group.units.push_back(reader.unit);
    }
    const auto left_out =
        std::ranges::find_if(group.units, [&](UnitIndex i) { return !own[i].empty(); });
    if (left_out == group.units.end() && !std::ranges::all_of(group.units, tiny)) {
      groups.push_back(std::move(group));
      continue;
    }
    for (const UnitIndex i : group.units) {
      if (!found.why_not[i].empty()) continue;
      found.why_not[i] = left_out == group.units.end()
                             ? "its weight is too small to gain anything"
                             : fmt::format("{} reads the same channels and stays: {}",
                                           view.units()[*left_out].label, own[*left_out]);
    }
  }
  std::map<ValueId, std::size_t> by_input;
  for (UnitIndex i = 0; i < view.units().size(); ++i) {
    if (found.folds.fold_of[i] || !own[i].empty()) continue;
    if (!insert_mul || tiny(i)) {
      found.why_not[i] = insert_mul ? view.units()[i].why_not.front().text : found.folds.why_not[i];
      continue;
    }
    const auto [at, fresh] = by_input.emplace(view.units()[i].input, groups.size());
    if (fresh) groups.emplace_back();
    groups[at->second].units.push_back(i);
  }
  for (SmoothingGroup& group : groups) std::ranges::sort(group.units);
  std::ranges::sort(groups, {}, [](const SmoothingGroup& group) { return group.units.front(); });
  found.groups = std::move(groups);
  return found;
}

}  // namespace onnxpress
