// SPDX-License-Identifier: Apache-2.0
#include "passes/opset/node_upgrade.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "base/error_codes.h"
#include "base/half.h"
#include "passes/type_inference.h"

namespace onnxpress {

Error cannot_raise(const std::string& message) {
  return {codes::unsupported_model, message,
          "export the model with the newer opset, or choose a storage that does not need it"};
}

GraphUpgrade::GraphUpgrade(Graph& graph, std::set<std::string>& names)
    : graph_(graph), names_(names), types_(infer_types(graph)), shapes_(graph) {}

DType GraphUpgrade::type(ValueId id) const {
  const auto index = static_cast<std::size_t>(id);
  return id != kNoValue && index < types_.size() ? types_[index] : DType::undefined;
}

std::int64_t GraphUpgrade::rank(ValueId id) const {
  const SymbolicShape* shape = shapes_.shape(id);
  return shape == nullptr ? -1 : static_cast<std::int64_t>(shape->size());
}

std::int64_t GraphUpgrade::size(ValueId id, std::int64_t axis) const {
  return rank(id) > axis ? shapes_.size(id, axis) : -1;
}

std::string GraphUpgrade::unique(std::string_view hint) {
  std::string name(hint);
  for (int suffix = 1; !names_.insert(name).second; ++suffix) {
    name = fmt::format("{}_{}", hint, suffix);
  }
  return name;
}

ValueId GraphUpgrade::constant(std::string_view hint, Tensor tensor) {
  return graph_.add_constant(unique(hint), std::move(tensor));
}

ValueId GraphUpgrade::list(const std::vector<std::int64_t>& values) {
  const auto known = lists_.find(values);
  if (known != lists_.end()) return known->second;
  const auto count = static_cast<std::int64_t>(values.size());
  const std::string name = fmt::format("ints_{}", fmt::join(values, "_"));
  const ValueId id = constant(name, Tensor::of<std::int64_t>({count}, values));
  lists_.emplace(values, id);
  return id;
}

ValueId GraphUpgrade::number(std::string_view hint, DType type, double value) {
  const auto single = static_cast<float>(value);
  switch (type) {
    case DType::float32:
      return constant(hint, Tensor::scalar(single));
    case DType::float64:
      return constant(hint, Tensor::scalar(value));
    case DType::float16:
      return constant(hint, Tensor::scalar(Half{float_to_half(single)}));
    default:
      throw cannot_raise(
          fmt::format("\"{}\" would have to become a number of a type that is not known", hint));
  }
}

ValueId GraphUpgrade::value(std::string_view hint, ValueId like) {
  return graph_.add_value(unique(hint), type(like));
}

std::string NodeUpgrade::name() const {
  if (!node.name.empty()) return node.name;
  for (const ValueId id : node.outputs) {
    if (id != kNoValue) return graph.graph().value(id).name;
  }
  return node.op_type;
}

void NodeUpgrade::set_input(std::size_t index, ValueId value) {
  if (node.inputs.size() <= index) node.inputs.resize(index + 1, kNoValue);
  node.inputs[index] = value;
}

void NodeUpgrade::refuse(std::string_view why) const {
  throw cannot_raise(fmt::format("node \"{}\" ({}) can't be raised to opset {}: {}", name(),
                                 node.op_type, version, why));
}

}  // namespace onnxpress
