// SPDX-License-Identifier: Apache-2.0
#include "model/shape_inference.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/checked.h"

namespace onnxpress {
namespace {

template <std::size_t n>
bool any_of(const Node& node, const std::array<std::string_view, n>& types) {
  return std::any_of(types.begin(), types.end(), [&](auto type) { return node.op_type == type; });
}

constexpr std::array<std::string_view, 52> kKeepsShape = {"Identity",
                                                          "Cast",
                                                          "Dropout",
                                                          "Softmax",
                                                          "LogSoftmax",
                                                          "Relu",
                                                          "Gelu",
                                                          "Tanh",
                                                          "Sigmoid",
                                                          "Erf",
                                                          "Sqrt",
                                                          "Reciprocal",
                                                          "Neg",
                                                          "Abs",
                                                          "Exp",
                                                          "Log",
                                                          "Sin",
                                                          "Cos",
                                                          "Not",
                                                          "Floor",
                                                          "Ceil",
                                                          "Round",
                                                          "Clip",
                                                          "CumSum",
                                                          "Trilu",
                                                          "Elu",
                                                          "LeakyRelu",
                                                          "Softplus",
                                                          "HardSigmoid",
                                                          "HardSwish",
                                                          "IsNaN",
                                                          "Sign",
                                                          "Swish",
                                                          "Mish",
                                                          "LayerNormalization",
                                                          "FastGelu",
                                                          "BiasGelu",
                                                          "QuickGelu",
                                                          "QuantizeLinear",
                                                          "SimplifiedLayerNormalization",
                                                          "Selu",
                                                          "Celu",
                                                          "Softsign",
                                                          "CastLike",
                                                          "RMSNormalization",
                                                          "PRelu",
                                                          "RotaryEmbedding",
                                                          "DequantizeLinear",
                                                          "DynamicQuantizeLinear",
                                                          "SkipLayerNormalization",
                                                          "BatchNormalization",
                                                          "SkipSimplifiedLayerNormalization"};
constexpr std::array<std::string_view, 19> kBroadcasts = {"Add",
                                                          "Sub",
                                                          "Mul",
                                                          "Div",
                                                          "Pow",
                                                          "Where",
                                                          "Equal",
                                                          "And",
                                                          "Or",
                                                          "Xor",
                                                          "GreaterOrEqual",
                                                          "Greater",
                                                          "LessOrEqual",
                                                          "Less",
                                                          "Max",
                                                          "Min",
                                                          "Mod",
                                                          "Sum",
                                                          "Mean"};

}  // namespace

ShapeInference::Result ShapeInference::run(std::span<const GrantedSize> granted) {
  std::unordered_multimap<std::int32_t, const GrantedSize*> by_value;
  for (const GrantedSize& size : granted)
    by_value.emplace(static_cast<std::int32_t>(size.value), &size);
  const auto grant = [&](ValueId id) {
    const auto [begin, end] = by_value.equal_range(static_cast<std::int32_t>(id));
    for (auto at = begin; at != end && shape_of(id); ++at) {
      SymbolicShape& shape = *shape_of(id);
      if (at->second->axis < shape.size()) shape[at->second->axis] = known(at->second->size);
    }
  };
  for (const ValueId id : graph_.values()) {
    const Value& value = graph_.value(id);
    if (const Tensor* tensor = graph_.constant(id)) {
      set_constant(id, *tensor);
    } else if (!value.producer && value.shape) {
      shape_of(id) = declared(*value.shape);
      grant(id);
    }
  }
  for (const NodeId id : graph_.nodes()) {
    const Node& node = graph_.node(id);
    infer(node);
    for (const ValueId output : node.outputs) {
      drop_negative(output);
      merge_declared(output);
      if (output != kNoValue) grant(output);
    }
  }
  return {std::move(shapes_), std::move(elements_)};
}

std::optional<SymbolicShape>& ShapeInference::shape_of(ValueId id) {
  return shapes_[static_cast<std::size_t>(id)];
}

std::optional<ShapeInference::Elements>& ShapeInference::elements_of(ValueId id) {
  return elements_[static_cast<std::size_t>(id)];
}

const SymbolicShape* ShapeInference::shape(const Node& node, std::size_t input) {
  const ValueId id = node.input(input);
  return id == kNoValue || !shape_of(id) ? nullptr : &*shape_of(id);
}

const ShapeInference::Elements* ShapeInference::elements(const Node& node, std::size_t input) {
  const ValueId id = node.input(input);
  return id == kNoValue || !elements_of(id) ? nullptr : &*elements_of(id);
}

std::optional<ShapeInference::Ints> ShapeInference::ints(const Node& node, std::size_t input) {
  const Elements* found = elements(node, input);
  if (found == nullptr) return std::nullopt;
  Ints numbers;
  for (const SymbolicDim& element : *found) {
    if (!element.known()) return std::nullopt;
    numbers.push_back(element.size);
  }
  return numbers;
}

SymbolicShape ShapeInference::declared(const Shape& shape) {
  SymbolicShape result;
  for (const Dim& dim : shape) {
    if (dim.known()) {
      result.push_back(known(dim.size));
    } else if (dim.symbol.empty()) {
      result.push_back(fresh());
    } else {
      const auto [at, added] = named_.try_emplace(dim.symbol, symbols_ + 1);
      if (added) ++symbols_;
      result.push_back({0, at->second});
    }
  }
  return result;
}

void ShapeInference::drop_negative(ValueId id) {
  if (id == kNoValue || !shape_of(id)) return;
  for (SymbolicDim& dim : *shape_of(id)) {
    if (dim.known() && dim.size < 0) dim = fresh();
  }
}

void ShapeInference::merge_declared(ValueId id) {
  if (id == kNoValue || !graph_.value(id).shape) return;
  const Shape& said = *graph_.value(id).shape;
  auto& found = shape_of(id);
  if (!found) {
    found = declared(said);
  } else if (found->size() == said.size()) {
    for (std::size_t i = 0; i < said.size(); ++i) {
      if (!(*found)[i].known() && said[i].known()) (*found)[i] = known(said[i].size);
    }
  }
}

void ShapeInference::set_constant(ValueId id, const Tensor& tensor) {
  SymbolicShape dims;
  for (const std::int64_t size : tensor.dims()) dims.push_back(known(size));
  shape_of(id) = std::move(dims);
  const bool small = tensor.size() <= static_cast<std::int64_t>(kMaxElements);
  const bool integer = tensor.dtype() == DType::int64 || tensor.dtype() == DType::int32;
  if (!small || !integer || tensor.rank() > 1) return;
  Elements values;
  for (const std::int64_t value : tensor.to_int64s()) values.push_back(known(value));
  elements_of(id) = std::move(values);
}

std::optional<std::size_t> ShapeInference::axis_of(std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < 0) axis += signed_rank;
  if (axis < 0 || axis >= signed_rank) return std::nullopt;
  return static_cast<std::size_t>(axis);
}

SymbolicDim ShapeInference::product(const SymbolicDim& a, const SymbolicDim& b) {
  if (a.known() && b.known()) {
    const auto size = checked_mul(a.size, b.size);
    return size ? known(*size) : fresh();
  }
  if (a == known(1)) return b;
  if (b == known(1)) return a;
  return fresh();
}

SymbolicDim ShapeInference::broadcast(const SymbolicDim& a, const SymbolicDim& b) {
  if (a == b || b == known(1)) return a;
  if (a == known(1)) return b;
  if (a.known()) return a;
  if (b.known()) return b;
  return fresh();
}

std::optional<SymbolicShape> ShapeInference::broadcast(const SymbolicShape* a,
                                                       const SymbolicShape* b) {
  if (a == nullptr || b == nullptr) return std::nullopt;
  if (a->size() < b->size()) std::swap(a, b);
  SymbolicShape result = *a;
  for (std::size_t i = 0; i < b->size(); ++i) {
    SymbolicDim& dim = result[result.size() - 1 - i];
    dim = broadcast(dim, (*b)[b->size() - 1 - i]);
  }
  return result;
}

void ShapeInference::infer(const Node& node) {
  if (node.outputs.empty() || node.outputs[0] == kNoValue || node.op_type == "Constant") return;
  if (!node.domain.empty() && node.domain != "com.microsoft") return;
  const ValueId out = node.outputs[0];
  if (any_of(node, kKeepsShape)) {
    if (const SymbolicShape* in = shape(node, 0)) shape_of(out) = *in;
    if (node.op_type == "Identity" || node.op_type == "Cast") elements_of(out) = copy(node, 0);
  } else if (any_of(node, kBroadcasts)) {
    infer_elementwise(node, out);
  } else if (node.op_type == "Shape") {
    infer_shape(node, out);
  } else if (node.op_type == "Reshape") {
    infer_reshape(node, out);
  } else if (node.op_type == "Transpose") {
    infer_transpose(node, out);
  } else if (node.op_type == "MatMul" || node.op_type == "MatMulInteger" ||
             node.op_type == "FusedMatMul") {
    infer_matmul(node, out);
  } else if (node.op_type == "MatMulNBits") {
    if (const SymbolicShape* in = shape(node, 0); in != nullptr && !in->empty()) {
      shape_of(out) = *in;
      shape_of(out)->back() = known(node.attributes.get_int("N", 0));
    }
  } else if (node.domain == "com.microsoft" && node.attributes.has("num_heads")) {
    infer_whole_attention(node, out);
  } else if (node.op_type == "Gemm") {
    infer_gemm(node, out);
  } else if (node.op_type == "Concat") {
    infer_concat(node, out);
  } else if (node.op_type == "Gather") {
    infer_gather(node, out);
  } else if (node.op_type == "Slice") {
    infer_slice(node, out);
  } else if (node.op_type == "Split") {
    infer_split(node);
  } else if (node.op_type == "Unsqueeze" || node.op_type == "Squeeze") {
    infer_squeeze(node, out);
  } else if (node.op_type == "Expand") {
    infer_expand(node, out);
  } else if (node.op_type == "ConstantOfShape") {
    infer_constant_of_shape(node, out);
  } else if (node.op_type == "Flatten") {
    infer_flatten(node, out);
  } else if (node.op_type == "GatherElements") {
    if (const SymbolicShape* indices = shape(node, 1)) shape_of(out) = *indices;
  } else if (node.op_type == "Range") {
    shape_of(out) = SymbolicShape{fresh()};
  } else if (node.op_type == "Conv") {
    infer_conv(node, out);
  } else if (node.op_type.starts_with("Reduce")) {
    infer_reduce(node, out);
  }
}

std::optional<ShapeInference::Elements> ShapeInference::copy(const Node& node, std::size_t input) {
  const Elements* found = elements(node, input);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

SymbolicDim ShapeInference::fresh() {
  return {0, ++symbols_};
}

}  // namespace onnxpress
