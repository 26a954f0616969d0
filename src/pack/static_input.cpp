// SPDX-License-Identifier: Apache-2.0
#include "pack/static_input.h"

#include <optional>
#include <string>
#include <utility>

namespace onnxpress {

ValueId pack_static_input(Graph& graph, ValueId x, const ActivationGrid& grid,
                          std::string_view hint) {
  const std::string name(hint);
  const std::optional<Shape> shape = graph.value(x).shape;
  const ValueId step = graph.add_constant(name + "_step", Tensor::scalar(grid.step));
  const ValueId zero = graph.add_constant(name + "_zero", Tensor::scalar(grid.zero));
  ValueId scales = step;
  ValueId zeros = zero;
  Attributes attributes;
  if (grid.per_channel()) {
    const auto channels = static_cast<std::int64_t>(grid.scales.size());
    scales = graph.add_constant(name + "_scales", Tensor::of<float>({channels}, grid.scales));
    zeros = graph.add_constant(name + "_zeros", Tensor::of<std::uint8_t>({channels}, grid.zeros));
    attributes.set("axis", std::int64_t{-1});
  }
  const ValueId codes = graph.add("QuantizeLinear", {x, scales, zeros}, std::move(attributes),
                                  name + "_quantized", "", DType::uint8, shape);
  return graph.add("DequantizeLinear", {codes, step, zero}, {}, name + "_dequantized", "",
                   DType::float32, shape);
}

std::int64_t static_input_bytes(bool per_channel, std::int64_t channels) {
  return 5 + (per_channel ? 5 * channels : 0);
}

}  // namespace onnxpress
