// SPDX-License-Identifier: Apache-2.0
// Attributes that became inputs.
#include <fmt/format.h>

#include "passes/opset/rules.h"

namespace onnxpress::opset_rules {
namespace {

// The attribute's list as input number `index`. An empty list is left out: it meant the default.
void move_list(NodeUpgrade& up, std::string_view attribute, std::size_t index) {
  const auto values = up.node.attributes.get_ints(attribute);
  if (!values.empty()) up.set_input(index, up.graph.list(values));
  up.node.attributes.erase(attribute);
}

// The attribute as a number of the type of the node's first input.
void move_number(NodeUpgrade& up, std::string_view attribute, std::size_t index) {
  if (!up.node.attributes.has(attribute)) return;
  const float value = up.node.attributes.get_float(attribute, 0);
  const DType type = up.graph.type(up.node.input(0));
  if (type != DType::float32 && type != DType::float16 && type != DType::float64) {
    up.refuse(fmt::format("\"{}\" becomes an input of the type of the first, which is not known",
                          attribute));
  }
  up.set_input(index, up.graph.number(fmt::format("{}_{}", up.name(), attribute), type, value));
  up.node.attributes.erase(attribute);
}

}  // namespace

void axes_input(NodeUpgrade& up) {
  move_list(up, "axes", 1);
}

void reduce_axes(NodeUpgrade& up) {
  move_list(up, "axes", 1);
}

void slice_inputs(NodeUpgrade& up) {
  if (up.node.attributes.get_ints("starts").empty()) up.refuse("it has no \"starts\"");
  move_list(up, "starts", 1);
  move_list(up, "ends", 2);
  move_list(up, "axes", 3);
}

void split_sizes(NodeUpgrade& up) {
  move_list(up, "split", 1);
}

void split_count(NodeUpgrade& up) {
  if (up.node.input(1) != kNoValue) return;
  up.node.attributes.set("num_outputs", static_cast<std::int64_t>(up.node.outputs.size()));
}

void top_k_input(NodeUpgrade& up) {
  up.set_input(1, up.graph.list({up.node.attributes.require_int("k")}));
  up.node.attributes.erase("k");
}

void clip_bounds(NodeUpgrade& up) {
  move_number(up, "min", 1);
  move_number(up, "max", 2);
}

void pad_inputs(NodeUpgrade& up) {
  if (up.node.attributes.get_ints("pads").empty()) up.refuse("it has no \"pads\"");
  move_list(up, "pads", 1);
  if (up.node.attributes.get_float("value", 0) == 0) {
    up.node.attributes.erase("value");
  } else {
    move_number(up, "value", 2);
  }
}

void dropout_ratio(NodeUpgrade& up) {
  dropout_mask(up);
  const float ratio = up.node.attributes.get_float("ratio", 0.5F);
  up.set_input(1, up.graph.number(up.name() + "_ratio", DType::float32, ratio));
  up.node.attributes.erase("ratio");
}

void dft_axis(NodeUpgrade& up) {
  const std::int64_t axis = up.node.attributes.get_int("axis", 1);
  up.set_input(2, up.graph.constant(up.name() + "_axis", Tensor::scalar(axis)));
  up.node.attributes.erase("axis");
}

}  // namespace onnxpress::opset_rules
