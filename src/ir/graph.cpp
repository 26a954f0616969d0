// SPDX-License-Identifier: Apache-2.0
#include "ir/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

std::size_t index(NodeId id) {
  return static_cast<std::size_t>(id);
}
std::size_t index(ValueId id) {
  return static_cast<std::size_t>(id);
}

template <class T>
Tensor vector_tensor(const std::vector<T>& values) {
  const Dims dims{static_cast<std::int64_t>(values.size())};
  if constexpr (std::is_same_v<T, std::string>) {
    return Tensor::strings(dims, values);
  } else {
    return Tensor::of<T>(dims, values);
  }
}

// The tensor that a Constant node stands for, whichever attribute it is written in.
std::optional<Tensor> constant_node_tensor(const Attributes& attributes) {
  for (const Attribute& a : attributes.all()) {
    if (a.name == "value") {
      const auto* value = std::get_if<Tensor>(&a.value);
      return value == nullptr ? std::nullopt : std::optional(*value);
    }
    if (a.name == "value_float") return Tensor::scalar(attributes.get_float(a.name, 0));
    if (a.name == "value_int") return Tensor::scalar(attributes.get_int(a.name, 0));
    if (a.name == "value_string") return Tensor::strings({}, {attributes.get_string(a.name, "")});
    if (a.name == "value_floats") return vector_tensor(attributes.get_floats(a.name));
    if (a.name == "value_ints") return vector_tensor(attributes.get_ints(a.name));
    if (const auto* strings = std::get_if<std::vector<std::string>>(&a.value)) {
      return vector_tensor(*strings);
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<ValueId> Graph::reads(const Node& node) const {
  std::vector<ValueId> all = node.inputs;
  all.insert(all.end(), node.captures.begin(), node.captures.end());
  return all;
}

std::vector<ValueId> Graph::values() const {
  std::vector<ValueId> used;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const Value& v = values_[i];
    if (v.is_input || v.is_output || v.is_capture || v.constant || v.producer || !v.uses.empty()) {
      used.push_back(ValueId{static_cast<std::int32_t>(i)});
    }
  }
  return used;
}

std::optional<ValueId> Graph::find_value(std::string_view value_name) const {
  const auto at = names_.find(std::string(value_name));
  return at == names_.end() ? std::nullopt : std::optional(at->second);
}

const Tensor* Graph::constant(ValueId id) const {
  if (id == kNoValue) return nullptr;
  const Value& v = value(id);
  return v.constant && !v.is_input ? &*v.constant : nullptr;
}

std::optional<NodeId> Graph::producer_id(ValueId id) const {
  return id == kNoValue ? std::nullopt : value(id).producer;
}

const Node* Graph::producer(ValueId id) const {
  const auto node_id = producer_id(id);
  return node_id ? &node(*node_id) : nullptr;
}

std::optional<NodeId> Graph::single_user(ValueId id) const {
  const Value& v = value(id);
  if (v.is_output || v.uses.size() != 1) return std::nullopt;
  return v.uses.front().node;
}

std::string Graph::unique_name(std::string_view hint) const {
  const std::string base(hint.empty() ? "value" : hint);
  const auto next = next_suffix_.find(base);
  std::string candidate = base;
  for (int i = next == next_suffix_.end() ? 1 : next->second; names_.contains(candidate); ++i) {
    candidate = fmt::format("{}_{}", base, i);
  }
  return candidate;
}

ValueId Graph::add_value(std::string_view name_hint, DType dtype, std::optional<Shape> shape) {
  const ValueId id{static_cast<std::int32_t>(values_.size())};
  Value v;
  v.name = unique_name(name_hint);
  if (v.name != name_hint) ++next_suffix_.try_emplace(std::string(name_hint), 1).first->second;
  v.dtype = dtype;
  v.shape = std::move(shape);
  names_.emplace(v.name, id);
  values_.push_back(std::move(v));
  return id;
}

ValueId Graph::add_input(std::string_view input_name, DType dtype, std::optional<Shape> shape) {
  if (find_value(input_name)) {
    throw Error(codes::graph_malformed, fmt::format("graph input \"{}\" occurs twice", input_name));
  }
  const ValueId id = add_value(input_name, dtype, std::move(shape));
  values_[index(id)].is_input = true;
  inputs_.push_back(id);
  return id;
}

ValueId Graph::add_capture(std::string_view capture_name, DType dtype, std::optional<Shape> shape) {
  const ValueId id = add_value(capture_name, dtype, std::move(shape));
  values_[index(id)].is_capture = true;
  captures_.push_back(id);
  return id;
}

ValueId Graph::add_constant(std::string_view name_hint, Tensor tensor) {
  const ValueId id = add_value(name_hint);
  set_constant(id, std::move(tensor));
  return id;
}

void Graph::add_output(ValueId id) {
  values_[index(id)].is_output = true;
  outputs_.push_back(id);
}

NodeId Graph::add_node(Node node) {
  const NodeId id{static_cast<std::int32_t>(nodes_.size())};
  for (const ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    Value& v = values_[index(output)];
    if (v.producer || v.constant || v.is_input || v.is_capture) {
      throw Error(codes::graph_malformed,
                  fmt::format("value \"{}\" has two producers; the second is node \"{}\" ({})",
                              v.name, node.name, node.op_type));
    }
    v.producer = id;
    if (node.is("Constant")) v.constant = constant_node_tensor(node.attributes);
    if (v.constant) {
      v.dtype = v.constant->dtype();
      v.shape = to_shape(v.constant->dims());
    }
  }
  const std::vector<ValueId> read = reads(node);
  for (std::size_t i = 0; i < read.size(); ++i) add_use(id, i, read[i]);
  nodes_.push_back(std::move(node));
  live_.push_back(true);
  order_.push_back(id);
  return id;
}

ValueId Graph::add(std::string_view op_type, std::vector<ValueId> inputs, Attributes attributes,
                   std::string_view name_hint, std::string_view domain, DType dtype,
                   std::optional<Shape> shape) {
  const ValueId output = add_value(name_hint, dtype, std::move(shape));
  Node node;
  node.name = value(output).name;
  node.op_type = op_type;
  node.domain = domain;
  node.inputs = std::move(inputs);
  node.outputs = {output};
  node.attributes = std::move(attributes);
  add_node(std::move(node));
  return output;
}

void Graph::add_use(NodeId node, std::size_t input, ValueId value) {
  if (value != kNoValue) values_[index(value)].uses.push_back({node, input});
}

void Graph::remove_use(NodeId node, std::size_t input, ValueId value) {
  if (value != kNoValue) std::erase(values_[index(value)].uses, Use{node, input});
}

void Graph::set_input(NodeId id, std::size_t input, ValueId value) {
  Node& n = nodes_[index(id)];
  ValueId& slot =
      input < n.inputs.size() ? n.inputs[input] : n.captures.at(input - n.inputs.size());
  remove_use(id, input, slot);
  slot = value;
  add_use(id, input, value);
}

void Graph::replace_all_uses(ValueId from, ValueId to) {
  if (from == to) return;
  const std::vector<Use> uses = value(from).uses;
  for (const Use& use : uses) set_input(use.node, use.input, to);
}

void Graph::erase(NodeId id) {
  Node& n = nodes_[index(id)];
  const std::vector<ValueId> read = reads(n);
  for (std::size_t i = 0; i < read.size(); ++i) remove_use(id, i, read[i]);
  for (const ValueId output : n.outputs) {
    if (output == kNoValue) continue;
    values_[index(output)].producer.reset();
    values_[index(output)].constant.reset();
  }
  n = Node{};
  live_[index(id)] = false;
  std::erase(order_, id);
}

void Graph::set_constant(ValueId id, Tensor tensor) {
  Value& v = values_[index(id)];
  if (v.constant &&
      (v.constant->dtype() != tensor.dtype() || v.constant->dims() != tensor.dims())) {
    v.value_info.clear();
  }
  v.dtype = tensor.dtype();
  v.shape = to_shape(tensor.dims());
  v.constant = std::move(tensor);
}

void Graph::set_type(ValueId id, DType dtype, std::optional<Shape> shape) {
  Value& v = values_[index(id)];
  v.dtype = dtype;
  v.shape = std::move(shape);
  v.value_info.clear();
}

std::int64_t Model::opset(std::string_view opset_domain) const {
  for (const OpsetImport& import : opsets) {
    const bool standard = import.domain.empty() || import.domain == "ai.onnx";
    if (opset_domain.empty() ? standard : import.domain == opset_domain) return import.version;
  }
  return 0;
}

}  // namespace onnxpress
