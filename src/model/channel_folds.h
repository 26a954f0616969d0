// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/transformer_view.h"

namespace onnxpress {

// A linear unit whose input has been made from the channels of a fold's source.
struct ChannelReader {
  UnitIndex unit = 0;
  std::vector<std::int32_t> channel;  // [in]: the fold's channel that each row of W belongs to
};

// Channels that can be divided by positive numbers s, exactly, by changing constants: those of the
// source are divided, the weight rows of all readers multiplied. What lies between passes scales
// on: it moves elements, mixes tokens within a channel, or is ReLU or a gate.
//
//   norm → q, k, v;  norm → up (where nothing else reads the norm: not if it feeds a residual);
//   v → attention → output (heads that share a key/value head share its channels' scales);
//   up → ReLU → down;  up · activation(gate) → down;  unit → unit
struct ChannelFold {
  std::optional<std::size_t> norm;    // the source: a norm of the view, gain and shift,
  std::optional<UnitIndex> unit;      // or the outputs of a linear unit
  std::vector<std::int32_t> columns;  // of the source, for each channel of the fold
  std::vector<ChannelReader> readers;
  // A constant z may be subtracted from each channel, too: norm and readers have vectors that take
  // it up, and nothing between is more than linear. Attention's probabilities sum to 1.
  bool shiftable = false;
};

struct ChannelFolds {
  std::vector<ChannelFold> folds;
  // For each unit of the view: the fold that it reads from, or why there is none.
  std::vector<std::optional<std::size_t>> fold_of;
  std::vector<std::string> why_not;  // "" where there is one
};

// Finds the folds of a graph. Each unit is a reader in at most one (from the norm, if there is a
// choice; else from the source with the least between), so that all can be applied together.
[[nodiscard]] ChannelFolds find_channel_folds(const Graph& graph, const TransformerView& view);

// Why the rows of the unit's weight can't be multiplied where they are stored; "" if they can.
[[nodiscard]] std::string why_rows_stay(const Graph& graph, const LinearUnit& unit);

// The vector of float32 that a bias, gain or shift is, also where exporters share it by Identity;
// nullptr for anything else.
[[nodiscard]] const Tensor* vector_constant(const Graph& graph, ValueId value);

}  // namespace onnxpress
