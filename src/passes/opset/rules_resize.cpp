// SPDX-License-Identifier: Apache-2.0
// Resize, which was Upsample.
#include <algorithm>

#include "passes/opset/rules.h"

namespace onnxpress::opset_rules {
namespace {

// Which pixel was taken before that could be said: the one below, and when shrinking the one above.
std::string nearest_mode(const NodeUpgrade& up) {
  const Tensor* scales = up.graph.graph().constant(up.node.input(1));
  if (scales == nullptr) up.refuse("which pixel is nearest depends on scales that are computed");
  const auto values = scales->to_doubles();
  if (std::ranges::all_of(values, [](double scale) { return scale >= 1; })) return "floor";
  if (std::ranges::all_of(values, [](double scale) { return scale <= 1; })) return "ceil";
  up.refuse("which pixel is nearest, where one axis grows and another shrinks, can't be said");
}

}  // namespace

void upsample_name(NodeUpgrade& up) {
  up.node.op_type = "Resize";
  if (up.target >= 11) up.node.attributes.set("nearest_mode", std::string("floor"));
}

// Without roi, and pixels lie where index × scale says. An attribute of ours from the Upsample
// stays.
void resize_coordinates(NodeUpgrade& up) {
  const bool nearest = up.node.attributes.get_string("mode", "nearest") == "nearest";
  if (!nearest) up.node.attributes.erase("nearest_mode");
  if (nearest && !up.node.attributes.has("nearest_mode")) {
    up.node.attributes.set("nearest_mode", nearest_mode(up));
  }
  up.node.attributes.set("coordinate_transformation_mode", std::string("asymmetric"));
  const ValueId scales = up.node.inputs.at(1);
  up.set_input(1, up.graph.constant(up.name() + "_roi", Tensor::of<float>({0}, {})));
  up.set_input(2, scales);
}

// Inputs without elements became inputs that are left out.
void resize_empty_inputs(NodeUpgrade& up) {
  const std::string mode =
      up.node.attributes.get_string("coordinate_transformation_mode", "half_pixel");
  if (mode == "tf_half_pixel_for_nn") up.refuse("tf_half_pixel_for_nn is no longer there");
  if (mode != "tf_crop_and_resize" && up.node.input(1) != kNoValue) up.set_input(1, kNoValue);
  if (up.node.input(3) != kNoValue) up.set_input(2, kNoValue);
}

}  // namespace onnxpress::opset_rules
