// SPDX-License-Identifier: Apache-2.0
#include "pack/integer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "pack/codes.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kFloat32 = static_cast<std::int64_t>(DType::float32);

std::vector<std::uint8_t> transposed(const std::vector<std::uint8_t>& codes, std::int64_t rows,
                                     std::int64_t columns) {
  constexpr std::int64_t kTile = 32;  // two tiles fit into the nearest cache
  std::vector<std::uint8_t> result(codes.size());
  for (std::int64_t r0 = 0; r0 < rows; r0 += kTile) {
    for (std::int64_t c0 = 0; c0 < columns; c0 += kTile) {
      for (std::int64_t r = r0; r < std::min(rows, r0 + kTile); ++r) {
        for (std::int64_t c = c0; c < std::min(columns, c0 + kTile); ++c) {
          result[static_cast<std::size_t>(c * rows + r)] =
              codes[static_cast<std::size_t>(r * columns + c)];
        }
      }
    }
  }
  return result;
}

// The only node that reads `value`, if it is of that type.
const Node* next(const Graph& graph, ValueId value, std::string_view type) {
  const auto user = graph.single_user(value);
  if (!user || !graph.node(*user).is(type)) return nullptr;
  return &graph.node(*user);
}

// The scales of the weight: the constant factor of the product that follows the Cast.
const Tensor* weight_scales(const Graph& graph, const Node& product) {
  const Node* cast = next(graph, product.outputs[0], "Cast");
  if (cast == nullptr) return nullptr;
  const Node* scaled = next(graph, cast->outputs[0], "Mul");
  if (scaled == nullptr) return nullptr;
  const std::size_t other = scaled->input(0) == cast->outputs[0] ? 1 : 0;
  const Node* scale = graph.producer(scaled->input(other));
  if (scale == nullptr || !scale->is("Mul")) return nullptr;
  for (const std::size_t i : {0U, 1U}) {
    if (const Tensor* tensor = graph.constant(scale->input(i))) return tensor;
  }
  return nullptr;
}

}  // namespace

DynamicInput quantize_input(Graph& graph, ValueId x, std::string_view hint) {
  const std::string name(hint);
  const auto shape = graph.value(x).shape;
  DynamicInput result;
  result.codes = graph.add_value(name + "_q", DType::uint8, shape);
  result.scale = graph.add_value(name + "_scale", DType::float32, Shape{});
  result.zero_point = graph.add_value(name + "_zero", DType::uint8, Shape{});
  graph.add_node({.name = graph.value(result.codes).name + "_quantize",
                  .op_type = "DynamicQuantizeLinear",
                  .domain = "",
                  .inputs = {x},
                  .outputs = {result.codes, result.scale, result.zero_point}});
  return result;
}

IntegerWeight pack_integer(Graph& graph, QuantizedMatrix q, std::string_view hint,
                           bool keep_layout) {
  const std::string name(hint);
  const bool turned = q.layout == MatrixLayout::out_in;
  IntegerWeight w;
  w.scales = graph.add_constant(
      name + "_scale", q.grid.per_tensor ? Tensor::scalar(q.scales.at(0))
                                         : Tensor::of<float>({q.out}, std::move(q.scales)));
  if (turned && !keep_layout) q.codes = transposed(q.codes, q.out, q.in);
  const Dims dims = turned && keep_layout ? Dims{q.out, q.in} : Dims{q.in, q.out};
  w.codes = graph.add_constant(name + "_q", codes_tensor(q.grid, dims, std::move(q.codes)));
  if (!q.grid.symmetric) {
    w.zero_point = graph.add_constant(name + "_zero", Tensor::scalar(q.zero_points.at(0)));
  }
  if (turned && keep_layout) {
    w.codes = graph.add("Transpose", {w.codes}, {{"perm", std::vector<std::int64_t>{1, 0}}},
                        name + "_q_transposed", "", q.grid.symmetric ? DType::int8 : DType::uint8,
                        to_shape({q.in, q.out}));
  }
  return w;
}

std::optional<QuantizedMatrix> unpack_integer(const Graph& graph, NodeId id) {
  const Node& product = graph.node(id);
  if (!product.is("MatMulInteger")) return std::nullopt;
  QuantizedMatrix q;
  ValueId weight = product.input(1);
  if (const Node* transpose = graph.producer(weight)) {
    if (!transpose->is("Transpose")) return std::nullopt;
    q.layout = MatrixLayout::out_in;
    weight = transpose->input(0);
  }
  const Tensor* codes = graph.constant(weight);
  const Tensor* scales = weight_scales(graph, product);
  if (codes == nullptr || codes->rank() != 2 || bits(codes->dtype()) != 8) return std::nullopt;
  q.in = codes->dims()[q.layout == MatrixLayout::in_out ? 0 : 1];
  q.out = codes->dims()[q.layout == MatrixLayout::in_out ? 1 : 0];
  if (scales == nullptr || scales->dtype() != DType::float32 ||
      (scales->rank() != 0 && scales->dims() != Dims{q.out})) {
    return std::nullopt;
  }
  q.grid.per_tensor = scales->rank() == 0;
  const auto stored = stored_codes(*codes);
  const Tensor* zero = graph.constant(product.input(3));
  const bool scalar = zero != nullptr && zero->dtype() == DType::uint8 && zero->size() == 1;
  if (!stored || stored->is_signed == (product.input(3) != kNoValue)) return std::nullopt;
  if (!stored->is_signed) {
    if (!scalar) return std::nullopt;
    q.grid.symmetric = false;
    q.zero_points.assign(static_cast<std::size_t>(q.out), zero->as<std::uint8_t>()[0]);
  }
  q.codes = stored->codes;
  const auto values = scales->as<float>();
  q.scales.assign(values.begin(), values.end());
  if (q.grid.per_tensor) q.scales.resize(static_cast<std::size_t>(q.out), q.scales.front());
  return q;
}

void integer_product(Graph& graph, const DynamicInput& x, const IntegerWeight& w, ValueId output,
                     std::string_view hint) {
  const std::string name = graph.value(w.codes).name;
  const auto shape = graph.value(output).shape;
  std::vector<ValueId> factors{x.codes, w.codes, x.zero_point};
  if (w.zero_point != kNoValue) factors.push_back(w.zero_point);
  const ValueId sums = graph.add_value(name + "_sums", DType::int32, shape);
  graph.add_node({.name = std::string(hint) + "_integer",
                  .op_type = "MatMulInteger",
                  .domain = "",
                  .inputs = std::move(factors),
                  .outputs = {sums}});
  const ValueId floats =
      graph.add("Cast", {sums}, {{"to", kFloat32}}, name + "_floats", "", DType::float32, shape);
  const ValueId scale = graph.add("Mul", {x.scale, w.scales}, {}, name + "_scales", "",
                                  DType::float32, graph.value(w.scales).shape);
  graph.add_node({.name = graph.value(floats).name + "_scaled",
                  .op_type = "Mul",
                  .domain = "",
                  .inputs = {floats, scale},
                  .outputs = {output}});
}

}  // namespace onnxpress
