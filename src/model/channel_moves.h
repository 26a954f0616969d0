// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "model/channel_map.h"
#include "model/channel_walk.h"

namespace onnxpress {

// Nodes that only move, cut or repeat the elements of their first input.
[[nodiscard]] bool moves_channels(const Node& node);

// The channels of one of the outputs of such a node, from those of its first input; nothing where
// they can't be followed: shapes that are not known, slices that are not constant.
[[nodiscard]] std::optional<ChannelMap> moved_channels(const WalkContext& context, const Node& node,
                                                       std::size_t output, const ChannelMap& map);

}  // namespace onnxpress
