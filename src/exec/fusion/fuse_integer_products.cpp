// SPDX-License-Identifier: Apache-2.0
// DynamicQuantizeLinear(x) → MatMulInteger → Cast → Mul by both scales, and MatMul between two
// DequantizeLinear of INT8. The quantization stays a node of its own, so that several products
// share it.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "exec/fast/level/level.h"
#include "exec/fusion/fused_ops.h"
#include "exec/fusion/rewrite.h"

namespace onnxpress::exec {
namespace {

struct Scaled {
  NodeId product{}, cast{}, scales{};
  std::optional<NodeId> second;  // where the scales are multiplied one after the other
  ValueId x_scale = kNoValue, w_scale = kNoValue, output = kNoValue;
};

bool is_scale(const Graph& graph, ValueId id, std::int64_t columns) {
  const Tensor* scale = graph.constant(id);
  return scale != nullptr && scale->dtype() == DType::float32 && scale->rank() <= 1 &&
         (scale->size() == 1 || scale->size() == columns);
}

bool has_zero_point(const Graph& graph, ValueId id) {
  if (id == kNoValue) return false;
  const Tensor* zero = graph.constant(id);
  if (zero == nullptr) return true;
  const auto values = zero->to_int64s();
  return std::ranges::any_of(values, [](std::int64_t z) { return z != 0; });
}

// A constant matrix of INT8 without zero point, or one of UINT8 whose zero point is 128: the same
// numbers, once the first bit of each code is turned.
const Tensor* plain_codes(const Graph& graph, ValueId codes, ValueId zero_point) {
  const Tensor* w = graph.constant(codes);
  if (w == nullptr || w->rank() != 2 || w->dims()[0] > fast::kMaxIntegerDepth) return nullptr;
  if (w->dtype() == DType::int8) return has_zero_point(graph, zero_point) ? nullptr : w;
  const Tensor* zero = graph.constant(zero_point);
  if (w->dtype() != DType::uint8 || zero == nullptr || zero->dtype() != DType::uint8) {
    return nullptr;
  }
  const auto zeros = zero->as<std::uint8_t>();
  return std::ranges::all_of(zeros, [](std::uint8_t z) { return z == 128; }) ? w : nullptr;
}

// plain_codes() as INT8; products that share them share the result.
ValueId signed_codes(Graph& graph, ValueId codes) {
  const Tensor* w = graph.constant(codes);
  if (w->dtype() == DType::int8) return codes;
  const std::string name = graph.value(codes).name + "/signed";
  if (const auto known = graph.find_value(name)) return *known;
  std::vector<std::int8_t> turned;
  turned.reserve(static_cast<std::size_t>(w->size()));
  for (const std::uint8_t code : w->as<std::uint8_t>()) {
    turned.push_back(static_cast<std::int8_t>(code ^ 0x80U));
  }
  return graph.add_constant(name, Tensor::of<std::int8_t>(w->dims(), std::move(turned)));
}

ValueId other(const Node& node, ValueId value) {
  return node.inputs[node.inputs[0] == value ? 1 : 0];
}

// The product's integers times both scales, in either order of multiplication.
std::optional<Scaled> match_scales(const Graph& graph, NodeId id, ValueId x_scale,
                                   std::int64_t columns) {
  const auto cast = only_reader(graph, graph.node(id).outputs[0], "Cast");
  if (!cast || !is_float32(graph, graph.node(*cast).outputs[0])) return std::nullopt;
  const ValueId floats = graph.node(*cast).outputs[0];
  const auto mul = only_reader(graph, floats, "Mul");
  if (!mul) return std::nullopt;
  Scaled match;
  match.product = id;
  match.cast = *cast;
  match.scales = *mul;
  match.x_scale = x_scale;
  match.output = graph.node(*mul).outputs[0];
  const ValueId factor = other(graph.node(*mul), floats);
  if (factor == x_scale || is_scale(graph, factor, columns)) {
    const auto second = only_reader(graph, match.output, "Mul");
    if (!second) return std::nullopt;
    const ValueId rest = other(graph.node(*second), match.output);
    match.second = second;
    match.output = graph.node(*second).outputs[0];
    match.w_scale = factor == x_scale ? rest : factor;
    if ((factor == x_scale ? factor : rest) != x_scale) return std::nullopt;
  } else {
    const Node* scales = graph.producer(factor);
    if (scales == nullptr || !scales->is("Mul") ||
        (scales->inputs[0] != x_scale && scales->inputs[1] != x_scale)) {
      return std::nullopt;
    }
    match.w_scale = other(*scales, x_scale);
  }
  if (!is_scale(graph, match.w_scale, columns)) return std::nullopt;
  return match;
}

bool fuse_integer_product(Graph& graph, NodeId id) {
  const Node product = graph.node(id);
  if (!product.is("MatMulInteger")) return false;
  const Tensor* w = plain_codes(graph, product.inputs[1], product.input(3));
  if (w == nullptr) return false;
  const Node* quantize = graph.producer(product.inputs[0]);
  if (quantize == nullptr || !quantize->is("DynamicQuantizeLinear") ||
      quantize->outputs.size() != 3 || quantize->outputs[0] != product.inputs[0] ||
      quantize->outputs[2] != product.input(2) || !is_float32(graph, quantize->inputs[0])) {
    return false;
  }
  const auto match = match_scales(graph, id, quantize->outputs[1], w->dims()[1]);
  if (!match) return false;
  std::vector<NodeId> nodes{match->product, match->cast, match->scales};
  if (match->second) nodes.push_back(*match->second);
  replace(graph, nodes, fused::kIntegerProduct,
          {product.inputs[0], match->x_scale, product.inputs[2],
           signed_codes(graph, product.inputs[1]), match->w_scale, kNoValue, kNoValue},
          {}, match->output);
  return true;
}

// The DequantizeLinear that computes `id`, of codes of a type.
const Node* dequantize(const Graph& graph, ValueId id, DType codes) {
  const Node* node = graph.producer(id);
  if (node == nullptr || !node->is("DequantizeLinear") ||
      node->attributes.get_int("block_size", 0) != 0 ||
      graph.value(node->inputs[0]).dtype != codes) {
    return nullptr;
  }
  return node;
}

bool is_scalar(const Graph& graph, ValueId id, DType type) {
  const Tensor* tensor = graph.constant(id);
  return tensor != nullptr && tensor->dtype() == type && tensor->size() == 1;
}

bool fuse_dequantized_product(Graph& graph, NodeId id) {
  const Node product = graph.node(id);
  if (!product.is("MatMul")) return false;
  const Node* x = dequantize(graph, product.inputs[0], DType::uint8);
  const Node* w = dequantize(graph, product.inputs[1], DType::int8);
  if (w == nullptr) w = dequantize(graph, product.inputs[1], DType::uint8);
  if (x == nullptr || w == nullptr) return false;
  const Tensor* codes = plain_codes(graph, w->inputs[0], w->input(2));
  if (codes == nullptr || !is_scale(graph, w->inputs[1], codes->dims()[1])) return false;
  const std::int64_t axis = w->attributes.get_int("axis", 1);
  if (graph.constant(w->inputs[1])->size() != 1 && axis != 1 && axis != -1) return false;
  if (x->input(2) == kNoValue || !is_scalar(graph, x->inputs[1], DType::float32) ||
      !is_scalar(graph, x->inputs[2], DType::uint8)) {
    return false;
  }
  replace(graph, std::array{id}, fused::kIntegerProduct,
          {x->inputs[0], x->inputs[1], x->inputs[2], signed_codes(graph, w->inputs[0]),
           w->inputs[1], kNoValue, kNoValue},
          {}, product.outputs[0]);
  return true;
}

}  // namespace

std::size_t fuse_integer_products(Graph& graph) {
  return static_cast<std::size_t>(std::ranges::count_if(nodes_of(graph), [&](NodeId id) {
    return is_live(graph, id) &&
           (fuse_integer_product(graph, id) || fuse_dequantized_product(graph, id));
  }));
}

}  // namespace onnxpress::exec
