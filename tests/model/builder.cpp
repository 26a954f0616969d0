// SPDX-License-Identifier: Apache-2.0
#include "model/builder.h"

#include <cmath>
#include <string>
#include <utility>

namespace onnxpress::test {

ValueId Builder::op(std::string_view type, std::vector<ValueId> in, Attributes attributes,
                    std::string_view domain) {
  return graph.add(type, std::move(in), std::move(attributes), type, domain);
}

std::vector<ValueId> Builder::ops(std::string_view type, std::vector<ValueId> in,
                                  std::size_t outputs, Attributes attributes) {
  std::vector<ValueId> out;
  for (std::size_t i = 0; i < outputs; ++i) out.push_back(graph.add_value(type));
  Node node;
  node.op_type = std::string(type);
  node.inputs = std::move(in);
  node.outputs = out;
  node.attributes = std::move(attributes);
  graph.add_node(std::move(node));
  return out;
}

ValueId Builder::ids() {
  return graph.add_input(graph.unique_name("ids"), DType::int64,
                         Shape{{-1, "batch"}, {-1, "sequence"}});
}

ValueId Builder::state(std::int64_t width) {
  return graph.add_input(graph.unique_name("state"), DType::float32,
                         Shape{{-1, "batch"}, {-1, "sequence"}, {width, ""}});
}

ValueId Builder::number(float value) {
  return graph.add_constant("number", Tensor::scalar<float>(value));
}

ValueId Builder::ints(Ints values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return graph.add_constant("ints", Tensor::of<std::int64_t>({count}, std::move(values)));
}

ValueId Builder::tensor(Dims dims) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  seed_ += 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<float>(i) * 0.7F + seed_);
  }
  return graph.add_constant("tensor", Tensor::of<float>(std::move(dims), std::move(values)));
}

ValueId Builder::embed(ValueId ids, std::int64_t rows, std::int64_t width) {
  return op("Gather", {tensor({rows, width}), ids});
}

ValueId Builder::linear(ValueId x, std::int64_t in, std::int64_t out, bool bias) {
  const ValueId product = matmul(x, tensor({in, out}));
  return bias ? add(product, tensor({out})) : product;
}

ValueId Builder::layer_norm(ValueId x, std::int64_t width) {
  return op("LayerNormalization", {x, tensor({width}), tensor({width})});
}

ValueId Builder::rms_norm(ValueId x, std::int64_t width, bool plus_one) {
  const ValueId mean = op("ReduceMean", {op("Pow", {x, number(2)})}, {{"axes", Ints{-1}}});
  const ValueId root = op("Sqrt", {add(mean, number(1e-6F))});
  const ValueId gain = plus_one ? add(tensor({width}), number(1)) : tensor({width});
  return mul(mul(x, op("Reciprocal", {root})), gain);
}

ValueId Builder::transpose(ValueId x, Ints perm) {
  return op("Transpose", {x}, {{"perm", std::move(perm)}});
}

ValueId Builder::slice(ValueId x, std::int64_t from, std::int64_t to, std::int64_t axis,
                       std::int64_t step) {
  return op("Slice", {x, ints({from}), ints({to}), ints({axis}), ints({step})});
}

ValueId Builder::concat(std::vector<ValueId> parts, std::int64_t axis) {
  return op("Concat", std::move(parts), {{"axis", axis}});
}

ValueId Builder::gelu(ValueId x) {
  const ValueId erf = op("Erf", {op("Div", {x, number(1.41421356F)})});
  return mul(mul(x, add(erf, number(1))), number(0.5F));
}

ValueId Builder::split_heads(ValueId x, std::int64_t heads, std::int64_t size) {
  return transpose(reshape(x, {0, 0, heads, size}), {0, 2, 1, 3});
}

ValueId Builder::join_heads(ValueId x, std::int64_t width) {
  return reshape(transpose(x, {0, 2, 1, 3}), {0, 0, width});
}

ValueId Builder::rotary(ValueId x, std::int64_t size) {
  const auto table = [&] { return tensor({1, 1, 8, size}); };
  const ValueId front = slice(x, 0, size / 2, -1);
  const ValueId back = slice(x, size / 2, INT64_MAX, -1);
  const ValueId rotated = concat({op("Neg", {back}), front});
  return add(mul(x, table()), mul(rotated, table()));
}

ValueId Builder::attend(ValueId q, ValueId k, ValueId v, float scale) {
  const ValueId scores = mul(matmul(q, transpose(k, {0, 1, 3, 2})), number(scale));
  return matmul(softmax(add(scores, tensor({1, 1, 8, 8}))), v);
}

ValueId Builder::feed_forward(ValueId x, std::int64_t width, std::int64_t hidden) {
  return add(x, linear(gelu(linear(x, width, hidden)), hidden, width));
}

void Builder::output(ValueId value) {
  graph.add_output(value);
  graph.sort();
  graph.verify();
}

}  // namespace onnxpress::test
