// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/channel_map.h"
#include "model/transformer_view.h"

namespace onnxpress {

// A linear unit that a walk has come to, with the source's channel of each of its inputs.
struct WalkEnd {
  UnitIndex unit = 0;
  std::vector<std::int32_t> channel;
  bool passes_shift = true;  // x - z at the source is x - z here
  bool straight = true;      // no activation and no product between
};

struct ChannelWalk {
  std::vector<WalkEnd> ends;
  std::vector<std::string> reasons;
  std::vector<std::int32_t> blocked;  // for each channel, why it can't be scaled: -1, or a reason

  void block(const std::vector<std::int32_t>& channels, const std::string& reason);
};

// What walks need to know of a graph; made once.
struct WalkContext {
  WalkContext(const Graph& the_graph, const TransformerView& the_view);

  const Graph& graph;
  const TransformerView& view;
  SymbolicShapes shapes;
  std::vector<std::int32_t> order;  // of each node
  std::vector<std::int64_t> width;  // of values that units read: their last axis

  // The shape, with what units say of it.
  [[nodiscard]] std::optional<SymbolicShape> shape(ValueId value) const;
};

// Follows the channels of `source`, whose last axis they are, forward through all its readers.
[[nodiscard]] ChannelWalk walk_channels(const WalkContext& context, ValueId source,
                                        std::int64_t channels);

}  // namespace onnxpress
