// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "model/channel_folds.h"
#include "passes/linear_units.h"

namespace onnxpress {

// Units whose inputs take the same scales.
struct SmoothingGroup {
  std::vector<UnitIndex> units;
  std::optional<std::size_t>
      fold;  // where the scales go; nothing: into a Mul in front of the units
};

struct SmoothingGroups {
  ChannelFolds folds;
  std::vector<SmoothingGroup> groups;  // in the order of their first units
  std::vector<std::string> why_not;    // for each unit of the view: "" if it is in a group
  std::vector<std::string> unmatched_globs;
};

// Which units of a graph can be smoothed, by `selection`: all readers of a fold, or none. With
// `insert_mul` also units that no fold leads to.
[[nodiscard]] SmoothingGroups smoothing_groups(const Graph& graph, const TransformerView& view,
                                               const UnitOptions& selection, bool insert_mul,
                                               ThreadPool& pool);

}  // namespace onnxpress
