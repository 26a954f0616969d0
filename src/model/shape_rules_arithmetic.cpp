// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <utility>

#include "base/checked.h"
#include "model/shape_inference.h"

namespace onnxpress {

void ShapeInference::infer_elementwise(const Node& node, ValueId out) {
  std::optional<SymbolicShape> result;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const SymbolicShape* in = shape(node, i);
    if (in == nullptr) return;
    result = i == 0 ? *in : broadcast(&*result, in);
  }
  shape_of(out) = std::move(result);
  if (node.op_type == "Where") {
    infer_where_elements(node, out);
  } else if (node.inputs.size() == 2) {
    infer_binary_elements(node, out);
  }
}

void ShapeInference::infer_where_elements(const Node& node, ValueId out) {
  const Elements* condition = elements(node, 0);
  const Elements* yes = elements(node, 1);
  const Elements* no = elements(node, 2);
  if (condition == nullptr || yes == nullptr || no == nullptr) return;
  if (condition->size() != yes->size() || yes->size() != no->size()) return;
  Elements result;
  for (std::size_t i = 0; i < yes->size(); ++i) {
    const SymbolicDim& c = (*condition)[i];
    result.push_back(!c.known() ? fresh() : (c.size != 0 ? (*yes)[i] : (*no)[i]));
  }
  elements_of(out) = std::move(result);
}

void ShapeInference::infer_binary_elements(const Node& node, ValueId out) {
  const Elements* a = elements(node, 0);
  const Elements* b = elements(node, 1);
  if (a == nullptr || b == nullptr || a->empty() || b->empty()) return;
  const std::size_t count = std::max(a->size(), b->size());
  if ((a->size() != count && a->size() != 1) || (b->size() != count && b->size() != 1)) return;
  Elements result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(combine(node, (*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]));
  }
  elements_of(out) = std::move(result);
}

SymbolicDim ShapeInference::combine(const Node& node, const SymbolicDim& a, const SymbolicDim& b) {
  if (node.is("Mul")) return product(a, b);
  if (node.is("Equal")) {
    if (a == b) return known(1);
    if (a.known() && b.known()) return known(0);
    const SymbolicDim& number = a.known() ? a : b;  // a size is never negative
    return number.known() && number.size < 0 ? known(0) : fresh();
  }
  if (node.is("Div") && b == known(1)) return a;
  if ((node.is("Add") || node.is("Sub")) && b == known(0)) return a;
  if (node.is("Add") && a == known(0)) return b;
  if (!a.known() || !b.known()) return fresh();
  std::optional<std::int64_t> result;
  if (node.is("Add")) result = checked_add(a.size, b.size);
  if (node.is("Sub") && b.size != std::numeric_limits<std::int64_t>::min()) {
    result = checked_add(a.size, -b.size);
  }
  if (node.is("Div") && b.size > 0) result = a.size / b.size;
  if (node.is("Max")) result = std::max(a.size, b.size);
  if (node.is("Min")) result = std::min(a.size, b.size);
  return result ? known(*result) : fresh();
}

void ShapeInference::infer_shape(const Node& node, ValueId out) {
  const SymbolicShape* in = shape(node, 0);
  if (in == nullptr) {
    shape_of(out) = SymbolicShape{fresh()};
    return;
  }
  const auto rank = static_cast<std::int64_t>(in->size());
  std::int64_t start = node.attributes.get_int("start", 0);
  std::int64_t end = node.attributes.get_int("end", rank);
  start = std::clamp<std::int64_t>(start < 0 ? start + rank : start, 0, rank);
  end = std::clamp<std::int64_t>(end < 0 ? end + rank : end, start, rank);
  elements_of(out) = Elements(in->begin() + start, in->begin() + end);
  shape_of(out) = SymbolicShape{known(end - start)};
}

void ShapeInference::infer_matmul(const Node& node, ValueId out) {
  const SymbolicShape* a = shape(node, 0);
  const SymbolicShape* b = shape(node, 1);
  if (a == nullptr || b == nullptr || a->size() < 2 || b->size() < 2) return;
  SymbolicShape left = *a;
  SymbolicShape right = *b;
  if (node.attributes.get_int("transA", 0) != 0) std::swap(left.back(), left.rbegin()[1]);
  if (node.attributes.get_int("transB", 0) != 0) std::swap(right.back(), right.rbegin()[1]);
  const SymbolicDim rows = left.rbegin()[1];
  const SymbolicDim columns = right.back();
  left.resize(left.size() - 2);
  right.resize(right.size() - 2);
  auto result = broadcast(&left, &right);
  result->push_back(rows);
  result->push_back(columns);
  shape_of(out) = std::move(result);
}

void ShapeInference::infer_gemm(const Node& node, ValueId out) {
  const SymbolicShape* a = shape(node, 0);
  const SymbolicShape* b = shape(node, 1);
  if (b == nullptr || b->size() != 2) return;
  const bool trans_a = node.attributes.get_int("transA", 0) != 0;
  const bool trans_b = node.attributes.get_int("transB", 0) != 0;
  const SymbolicDim rows = a != nullptr && a->size() == 2 ? (*a)[trans_a ? 1 : 0] : fresh();
  shape_of(out) = SymbolicShape{rows, (*b)[trans_b ? 0 : 1]};
}

// ONNX Runtime's operators: the states with as many channels as the values have.
void ShapeInference::infer_whole_attention(const Node& node, ValueId out) {
  const SymbolicShape* in = shape(node, 0);
  if (in == nullptr || in->size() != 3) return;
  SymbolicShape result = *in;
  if (node.op_type == "MultiHeadAttention") {
    const SymbolicShape* value = shape(node, 2);
    if (value == nullptr || value->size() != 3) return;
    result.back() = value->back();
  } else if (node.op_type == "Attention" && !node.attributes.has("qkv_hidden_sizes")) {
    const SymbolicShape* weights = shape(node, 1);
    if (weights == nullptr || weights->size() != 2 || !weights->back().known()) return;
    result.back() = known(weights->back().size / 3);
  } else {
    return;
  }
  shape_of(out) = std::move(result);
}

void ShapeInference::infer_constant_of_shape(const Node& node, ValueId out) {
  const Elements* dims = elements(node, 0);
  if (dims == nullptr || dims->size() > kMaxRank) return;
  shape_of(out) = *dims;
  const Tensor* fill = node.attributes.get_tensor("value");
  const bool integer = fill != nullptr && is_integer(fill->dtype()) && fill->size() == 1;
  if (!integer || dims->size() != 1 || !(*dims)[0].known()) return;
  const std::int64_t count = (*dims)[0].size;
  if (count < 0 || count > static_cast<std::int64_t>(kMaxElements)) return;
  elements_of(out) = Elements(static_cast<std::size_t>(count), known(fill->to_int64s()[0]));
}

void ShapeInference::infer_conv(const Node& node, ValueId out) {
  const SymbolicShape* in = shape(node, 0);
  const SymbolicShape* kernel = shape(node, 1);
  if (kernel == nullptr || kernel->size() < 2) return;
  SymbolicShape result;
  for (std::size_t i = 0; i < kernel->size(); ++i) result.push_back(fresh());
  if (in != nullptr && in->size() == kernel->size()) result[0] = (*in)[0];
  result[1] = (*kernel)[0];
  shape_of(out) = std::move(result);
}

void ShapeInference::infer_reduce(const Node& node, ValueId out) {
  const SymbolicShape* in = shape(node, 0);
  if (in == nullptr) return;
  auto axes = ints(node, 1);
  if (!axes && node.attributes.has("axes")) axes = node.attributes.get_ints("axes");
  if (!axes) return;
  std::vector<bool> reduced(in->size());
  for (const std::int64_t a : *axes) {
    const auto axis = axis_of(a, in->size());
    if (!axis) return;
    reduced[*axis] = true;
  }
  const bool keep = node.attributes.get_int("keepdims", 1) != 0;
  SymbolicShape result;
  for (std::size_t i = 0; i < in->size(); ++i) {
    if (!reduced[i]) result.push_back((*in)[i]);
    if (reduced[i] && keep) result.push_back(known(1));
  }
  shape_of(out) = std::move(result);
}

}  // namespace onnxpress
