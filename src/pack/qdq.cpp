// SPDX-License-Identifier: Apache-2.0
#include "pack/qdq.h"

#include <algorithm>
#include <string>
#include <utility>

#include "pack/codes.h"

namespace onnxpress {
namespace {

// The axis along which one-scale-per-channel scales run, or along which blocks are cut.
std::int64_t axis_of(const Grid& grid, MatrixLayout layout) {
  const bool in_out = layout == MatrixLayout::in_out;
  return (grid.group == 0) == in_out ? 1 : 0;
}

Dims scale_dims(const QuantizedMatrix& q) {
  if (q.grid.group == 0) return {q.out};
  const std::int64_t groups = q.grid.groups(q.in);
  return q.layout == MatrixLayout::in_out ? Dims{groups, q.out} : Dims{q.out, groups};
}

}  // namespace

ValueId pack_qdq(Graph& graph, QuantizedMatrix q, std::string_view hint) {
  const std::string name(hint);
  const Dims dims{q.rows(), q.columns()};
  const Dims scales = scale_dims(q);
  Attributes attributes{{"axis", axis_of(q.grid, q.layout)}};
  if (q.grid.group != 0) attributes.set("block_size", q.grid.group);
  std::vector<ValueId> inputs{
      graph.add_constant(name + "_q", codes_tensor(q.grid, dims, std::move(q.codes))),
      graph.add_constant(name + "_scale", Tensor::of<float>(scales, std::move(q.scales)))};
  if (!q.grid.symmetric) {
    inputs.push_back(
        graph.add_constant(name + "_zero", codes_tensor(q.grid, scales, std::move(q.zero_points))));
  }
  return graph.add("DequantizeLinear", std::move(inputs), std::move(attributes),
                   name + "_dequantized", "", DType::float32, to_shape(dims));
}

std::optional<QuantizedMatrix> unpack_qdq(const Graph& graph, NodeId id, MatrixLayout layout) {
  const Node& node = graph.node(id);
  if (!node.is("DequantizeLinear")) return std::nullopt;
  const Tensor* codes = graph.constant(node.input(0));
  const Tensor* scales = graph.constant(node.input(1));
  const Tensor* zeros = graph.constant(node.input(2));
  if (codes == nullptr || scales == nullptr || codes->rank() != 2) return std::nullopt;
  if (graph.value(node.input(0)).is_input || graph.value(node.input(1)).is_input) {
    return std::nullopt;
  }
  if (scales->dtype() != DType::float32) return std::nullopt;
  QuantizedMatrix q;
  q.layout = layout;
  q.in = codes->dims()[layout == MatrixLayout::in_out ? 0 : 1];
  q.out = codes->dims()[layout == MatrixLayout::in_out ? 1 : 0];
  const auto stored = stored_codes(*codes);
  if (!stored) return std::nullopt;
  q.grid = {stored->bits, node.attributes.get_int("block_size", 0), stored->is_signed};
  std::int64_t axis = node.attributes.get_int("axis", 1);
  if (axis < 0) axis += 2;
  q.grid.per_tensor = scales->rank() == 0 && q.grid.group == 0 && q.grid.symmetric;
  if (!q.grid.per_tensor && (axis != axis_of(q.grid, layout) || scales->dims() != scale_dims(q))) {
    return std::nullopt;
  }
  if (node.input(2) != kNoValue) {
    // Zero points of a signed type are those that other tools write: all zero.
    const auto points = zeros == nullptr ? std::nullopt : stored_codes(*zeros);
    if (!points || points->is_signed != stored->is_signed || points->bits != stored->bits ||
        zeros->dims() != scales->dims()) {
      return std::nullopt;
    }
    if (q.grid.symmetric) {
      const bool all_zero = std::ranges::all_of(
          points->codes, [&](std::uint8_t code) { return code == q.grid.offset(); });
      if (!all_zero) return std::nullopt;
    } else {
      q.zero_points = points->codes;
    }
  } else if (!q.grid.symmetric) {
    q.zero_points.resize(static_cast<std::size_t>(scales->size()));
  }
  q.codes = stored->codes;
  const auto values = scales->as<float>();
  q.scales.assign(values.begin(), values.end());
  if (q.grid.per_tensor) q.scales.resize(static_cast<std::size_t>(q.out), q.scales.front());
  return q;
}

}  // namespace onnxpress
