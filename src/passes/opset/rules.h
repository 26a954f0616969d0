// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/opset/node_upgrade.h"

// What must be done to a node where a version of its operator is no longer read as the one before.
// Named after operator and what changed; history.cpp says at which version. All throw Error
// (unsupported_model) where the change can't be applied to the node at hand.
namespace onnxpress::opset_rules {

// Attributes that became inputs.
void axes_input(NodeUpgrade& up);    // Squeeze, Unsqueeze
void reduce_axes(NodeUpgrade& up);   // Reduce…
void slice_inputs(NodeUpgrade& up);  // starts, ends, axes
void split_sizes(NodeUpgrade& up);
void split_count(NodeUpgrade& up);  // no sizes: says how many parts
void top_k_input(NodeUpgrade& up);
void clip_bounds(NodeUpgrade& up);
void pad_inputs(NodeUpgrade& up);
void dropout_ratio(NodeUpgrade& up);
void dft_axis(NodeUpgrade& up);

// The same node means something else.
void softmax_along_one_axis(NodeUpgrade& up);  // Softmax, LogSoftmax, Hardmax
void dropout_mask(NodeUpgrade& up);
void batch_normalization_inference(NodeUpgrade& up);
void group_normalization_per_channel(NodeUpgrade& up);
void average_pool_rounding(NodeUpgrade& up);
void conv_transpose_padding(NodeUpgrade& up);
void grid_sample_mode(NodeUpgrade& up);
void roi_align_mode(NodeUpgrade& up);
void scatter_name(NodeUpgrade& up);

// Resize and what it was before.
void upsample_name(NodeUpgrade& up);
void resize_coordinates(NodeUpgrade& up);
void resize_empty_inputs(NodeUpgrade& up);

}  // namespace onnxpress::opset_rules
