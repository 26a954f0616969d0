// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "model/channel_folds.h"

namespace onnxpress {

// Divides the channels of a fold by `scales`, one a channel of the fold, all positive and finite,
// and multiplies the readers' weight rows by them: the model computes the same. With `shifts` (the
// fold must be shiftable) x becomes (x - shift) / scale. `view` must be of this graph; its ids stay
// good but for those of the source's constants.
// Throws Error (internal_error) if numbers of channels differ.
void scale_channels(Graph& graph, const TransformerView& view, const ChannelFold& fold,
                    std::span<const float> scales, std::span<const float> shifts = {});

// Multiplies the unit's weight row i by scales[i].
void scale_rows(Graph& graph, const LinearUnit& unit, std::span<const float> scales);

}  // namespace onnxpress
