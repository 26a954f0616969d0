// SPDX-License-Identifier: Apache-2.0
// Operators that mean something else with the same inputs and attributes.
#include <cstring>

#include <fmt/format.h>

#include "passes/opset/rules.h"

namespace onnxpress::opset_rules {
namespace {

bool is_read(const Graph& graph, ValueId id) {
  return id != kNoValue && (!graph.value(id).uses.empty() || graph.value(id).is_output);
}

// Each element of a vector `times` times in a row.
Tensor repeated(const Tensor& vector, std::int64_t times) {
  const auto from = vector.bytes();
  const std::size_t width = from.size() / static_cast<std::size_t>(vector.size());
  std::vector<std::byte> bytes;
  bytes.reserve(from.size() * static_cast<std::size_t>(times));
  for (std::size_t at = 0; at < from.size(); at += width) {
    for (std::int64_t i = 0; i < times; ++i) {
      bytes.insert(bytes.end(), from.begin() + static_cast<std::ptrdiff_t>(at),
                   from.begin() + static_cast<std::ptrdiff_t>(at + width));
    }
  }
  return Tensor::from_bytes(vector.dtype(), {vector.size() * times}, std::move(bytes));
}

}  // namespace

// Everything from the axis on was one row; since then only the axis itself. Where it is the last
// one, that is the same; elsewhere the node works on rows that a Flatten makes.
void softmax_along_one_axis(NodeUpgrade& up) {
  Graph& graph = up.graph.graph();
  const std::int64_t axis = up.node.attributes.get_int("axis", 1);
  const ValueId x = up.node.input(0);
  const std::int64_t rank = up.graph.rank(x);
  if (axis == -1 || (rank > 0 && axis == rank - 1)) {
    up.node.attributes.set("axis", axis);
    return;
  }
  const std::string name = up.name();
  const ValueId y = up.node.outputs.at(0);
  const ValueId shape = up.graph.value(name + "_shape", kNoValue);
  const ValueId rows = up.graph.value(name + "_rows", x);
  const ValueId result = up.graph.value(name + "_result", x);
  graph.mutable_value(shape).dtype = DType::int64;
  graph.add_node({name + "_shape_of", "Shape", "", {x}, {shape}});
  graph.add_node({.name = name + "_flatten",
                  .op_type = "Flatten",
                  .domain = "",
                  .inputs = {x},
                  .outputs = {rows},
                  .attributes = {{"axis", axis}}});
  up.node.inputs[0] = rows;
  up.node.outputs[0] = result;
  up.node.attributes.set("axis", std::int64_t{-1});
  Attributes as_it_is;  // sizes of 0 too
  if (up.target >= 14) as_it_is.set("allowzero", std::int64_t{1});
  graph.add_node({.name = name + "_reshape",
                  .op_type = "Reshape",
                  .domain = "",
                  .inputs = {result, shape},
                  .outputs = {y},
                  .attributes = std::move(as_it_is)});
}

// What the mask holds when nothing is dropped was said only later.
void dropout_mask(NodeUpgrade& up) {
  if (up.node.outputs.size() < 2) return;
  if (is_read(up.graph.graph(), up.node.outputs[1])) up.refuse("its mask is read");
  up.node.outputs = {up.node.outputs[0]};
}

// Several outputs asked for training, which is an attribute now.
void batch_normalization_inference(NodeUpgrade& up) {
  for (std::size_t i = 1; i < up.node.outputs.size(); ++i) {
    if (up.node.outputs[i] != kNoValue) up.refuse("it is in training mode");
  }
  up.node.outputs = {up.node.outputs[0]};
}

// Scale and bias were one per group and are one per channel.
void group_normalization_per_channel(NodeUpgrade& up) {
  Graph& graph = up.graph.graph();
  const std::int64_t groups = up.node.attributes.require_int("num_groups");
  const std::int64_t channels = up.graph.size(up.node.input(0), 1);
  if (channels < 1 || groups < 1 || channels % groups != 0) {
    up.refuse("the number of channels is not known");
  }
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    const Tensor* vector = graph.constant(up.node.input(i));
    if (vector == nullptr || vector->size() != groups || vector->bytes().empty()) {
      up.refuse("scale and bias are not constants with one element per group");
    }
    const std::string name = graph.value(up.node.input(i)).name + "_per_channel";
    up.set_input(i, up.graph.constant(name, repeated(*vector, channels / groups)));
  }
  // The mean was computed in the input's type.
  const DType type = up.graph.type(up.node.input(0));
  if (type == DType::undefined) up.refuse("the input's type is not known");
  if (type != DType::float32) {
    up.node.attributes.set("stash_type", static_cast<std::int64_t>(type));
  }
}

void average_pool_rounding(NodeUpgrade& up) {
  if (up.node.attributes.get_int("ceil_mode", 0) == 0) return;
  up.refuse("with ceil_mode, windows at the border are averaged in another way");
}

void conv_transpose_padding(NodeUpgrade& up) {
  const std::string padding = up.node.attributes.get_string("auto_pad", "NOTSET");
  const bool automatic = padding == "SAME_UPPER" || padding == "SAME_LOWER";
  if (!automatic && !up.node.attributes.has("output_shape")) return;
  up.refuse("padding that is computed goes to the other side");
}

void grid_sample_mode(NodeUpgrade& up) {
  const std::string mode = up.node.attributes.get_string("mode", "bilinear");
  if (mode == "bilinear") up.node.attributes.set("mode", std::string("linear"));
  if (mode == "bicubic") up.node.attributes.set("mode", std::string("cubic"));
}

void roi_align_mode(NodeUpgrade& up) {
  up.node.attributes.set("coordinate_transformation_mode", std::string("output_half_pixel"));
}

void scatter_name(NodeUpgrade& up) {
  up.node.op_type = "ScatterElements";
}

}  // namespace onnxpress::opset_rules
