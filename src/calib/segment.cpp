// SPDX-License-Identifier: Apache-2.0
#include "calib/segment.h"

#include <map>
#include <utility>

namespace onnxpress {
namespace {

// Copies nodes of one graph into another, value by value as they are met.
class Copier {
 public:
  Copier(const Graph& from, Graph& to) : from_(from), to_(to) {}

  ValueId read(ValueId id) {
    if (id == kNoValue) return kNoValue;
    const auto known = copies_.find(id);
    if (known != copies_.end()) return known->second;
    const Value& value = from_.value(id);
    if (const Tensor* tensor = from_.constant(id); tensor != nullptr && !value.is_input) {
      return copies_[id] = to_.add_constant(value.name, *tensor);
    }
    inputs.push_back(id);
    return copies_[id] = to_.add_input(value.name, value.dtype, value.shape);
  }

  void copy(NodeId id) {
    Node node = from_.node(id);
    for (ValueId& input : node.inputs) input = read(input);
    for (ValueId& capture : node.captures) capture = read(capture);
    for (ValueId& output : node.outputs) {
      if (output == kNoValue) continue;
      const Value& value = from_.value(output);
      output = copies_[output] = to_.add_value(value.name, value.dtype, value.shape);
    }
    to_.add_node(std::move(node));
  }

  [[nodiscard]] ValueId copy_of(ValueId id) const { return copies_.at(id); }
  std::vector<ValueId> inputs;

 private:
  const Graph& from_;
  Graph& to_;
  std::map<ValueId, ValueId> copies_;
};

}  // namespace

std::set<NodeId> nodes_between(const Graph& graph, std::span<const ValueId> values,
                               const std::function<bool(ValueId)>& given) {
  std::set<NodeId> nodes;
  std::vector<ValueId> open(values.begin(), values.end());
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == kNoValue || graph.constant(id) != nullptr || given(id)) continue;
    const auto producer = graph.producer_id(id);
    if (!producer || !nodes.insert(*producer).second) continue;
    const Node& node = graph.node(*producer);
    open.insert(open.end(), node.inputs.begin(), node.inputs.end());
    open.insert(open.end(), node.captures.begin(), node.captures.end());
  }
  return nodes;
}

Segment cut_segment(const Model& model, std::set<NodeId> nodes, std::span<const ValueId> outputs) {
  Segment segment;
  segment.nodes = std::move(nodes);
  segment.model.ir_version = model.ir_version;
  segment.model.opsets = model.opsets;
  segment.model.functions = model.functions;
  Copier copier(model.graph, segment.model.graph);
  for (const NodeId id : model.graph.nodes()) {
    if (segment.nodes.contains(id)) copier.copy(id);
  }
  for (const ValueId id : outputs) segment.model.graph.add_output(copier.copy_of(id));
  segment.inputs = std::move(copier.inputs);
  return segment;
}

}  // namespace onnxpress
