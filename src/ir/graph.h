// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ir/attributes.h"
#include "ir/tensor.h"

namespace onnxpress {

enum class NodeId : std::int32_t {};
enum class ValueId : std::int32_t {};
inline constexpr ValueId kNoValue{-1};  // an optional input or output that is left out

// Where a value is read: `input` counts the node's inputs, then its captures.
struct Use {
  NodeId node{};
  std::size_t input = 0;
  friend bool operator==(const Use&, const Use&) = default;
};

// Something that flows along an edge: a graph input, a constant, or what a node computes.
struct Value {
  std::string name;
  DType dtype = DType::undefined;  // undefined: not known, or not a tensor
  std::optional<Shape> shape;      // nothing: not even the rank is known
  std::optional<Tensor>
      constant;  // an initializer, or the tensor of a Constant node (then `producer` is set)
  std::optional<NodeId> producer;
  std::vector<Use> uses;
  bool is_input =
      false;  // with `constant`: a default that the caller may override, so not a constant
  bool is_output = false;
  bool is_capture = false;   // in a body: see Graph::captures
  bool is_declared = false;  // the file has a ValueInfoProto for it; only then it is written again
  // What the file says of it besides: ValueInfoProto and the fields of TensorProto that are not
  // modelled, as wire bytes. `value_info` is dropped when a pass changes the type.
  std::string value_info;
  std::string tensor_extra;
};

struct Node {
  std::string name, op_type, domain;     // domain "" is ai.onnx
  std::vector<ValueId> inputs, outputs;  // kNoValue where left out
  std::vector<ValueId>
      captures{};  // values of this graph that the node's bodies read; count as uses
  Attributes attributes{};
  std::string doc_string{};
  std::vector<std::pair<std::string, std::string>> metadata{};  // exporters keep stack traces here
  std::string extra{};  // fields that are not modelled, as wire bytes; written back verbatim

  [[nodiscard]] bool is(std::string_view type) const { return domain.empty() && op_type == type; }
  [[nodiscard]] ValueId input(std::size_t i) const {
    return i < inputs.size() ? inputs[i] : kNoValue;
  }
};

// A graph in SSA form. Nodes and values are named by ids that stay valid until they are erased; who
// uses what is kept by the graph. Copying a graph copies its structure and shares the weights.
//
//   ValueId y = g.add("MatMul", {x, w}, {}, "product");       // one new node with one new output
//   for (NodeId n : g.nodes()) if (g.node(n).is("Relu")) …
class Graph {
 public:
  std::string name, doc_string, extra;

  // --- reading
  // Live nodes, in an order in which each stands behind the producers of its inputs (after sort()).
  [[nodiscard]] std::span<const NodeId> nodes() const { return order_; }
  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Value& value(ValueId id) const {
    return values_[static_cast<std::size_t>(id)];
  }
  // All values that are in use: inputs, outputs, constants, outputs of nodes. In order of their
  // making.
  [[nodiscard]] std::vector<ValueId> values() const;
  [[nodiscard]] std::span<const ValueId> inputs() const { return inputs_; }
  [[nodiscard]] std::span<const ValueId> outputs() const { return outputs_; }
  // In a body: the values that stand for values of the graph around it. Node::captures of the node
  // that owns the body holds those outer values in the same order; with several bodies, one body's
  // after the other's.
  [[nodiscard]] std::span<const ValueId> captures() const { return captures_; }
  [[nodiscard]] std::size_t value_capacity() const { return values_.size(); }  // ids are below this
  [[nodiscard]] std::size_t node_capacity() const { return nodes_.size(); }
  [[nodiscard]] std::optional<ValueId> find_value(std::string_view name) const;
  // The tensor of an initializer or Constant node; nullptr for anything else, kNoValue included.
  [[nodiscard]] const Tensor* constant(ValueId id) const;
  // The node that computes the value, or nullptr (inputs, initializers, kNoValue).
  [[nodiscard]] const Node* producer(ValueId id) const;
  [[nodiscard]] std::optional<NodeId> producer_id(ValueId id) const;
  // The node that reads the value, if there is exactly one use and the value is not a graph output.
  [[nodiscard]] std::optional<NodeId> single_user(ValueId id) const;

  // --- building and editing
  ValueId add_value(std::string_view name_hint, DType dtype = DType::undefined,
                    std::optional<Shape> shape = {});
  ValueId add_input(std::string_view name, DType dtype, std::optional<Shape> shape);
  ValueId add_capture(std::string_view name, DType dtype = DType::undefined,
                      std::optional<Shape> shape = {});
  ValueId add_constant(std::string_view name_hint, Tensor tensor);
  // Outputs must be values without a producer. Throws Error (graph_malformed) if one has a producer
  // already.
  NodeId add_node(Node node);
  // A node with one new output, whose type and shape may be given.
  ValueId add(std::string_view op_type, std::vector<ValueId> inputs, Attributes attributes,
              std::string_view name_hint, std::string_view domain = "",
              DType dtype = DType::undefined, std::optional<Shape> shape = {});
  void add_output(ValueId id);

  void set_input(NodeId id, std::size_t input, ValueId value);
  // All nodes that read `from` read `to` instead. Graph outputs stay what they are (their names are
  // the interface): to give an output a new producer, erase the old one and add a node whose output
  // is the same ValueId.
  void replace_all_uses(ValueId from, ValueId to);
  // Removes the node; its outputs stay as values without a producer until something produces or
  // nothing uses them.
  void erase(NodeId id);
  void set_constant(ValueId id, Tensor tensor);  // replaces the tensor of an initializer
  void set_type(ValueId id, DType dtype, std::optional<Shape> shape);
  Attributes& attributes(NodeId id) { return nodes_[static_cast<std::size_t>(id)].attributes; }
  Node& mutable_node(NodeId id) {
    return nodes_[static_cast<std::size_t>(id)];
  }  // not for inputs, outputs, captures
  Value& mutable_value(ValueId id) {
    return values_[static_cast<std::size_t>(id)];
  }  // not for producer, uses, name

  // A name like `hint` that no value has yet.
  [[nodiscard]] std::string unique_name(std::string_view hint) const;
  // Removes nodes without side effects whose outputs nobody reads, then initializers nobody reads.
  // Returns the number of nodes removed.
  std::size_t remove_unused();
  // Puts the nodes into a topological order, keeping their present order where possible. Throws
  // Error (graph_malformed) on a cycle, naming its nodes.
  void sort();
  // Throws Error (graph_malformed), naming the broken rule: acyclic and sorted, one producer a
  // value, uses agree with inputs, names unique, outputs produced, constants' types agree.
  void verify() const;

 private:
  void add_use(NodeId node, std::size_t input, ValueId value);
  void remove_use(NodeId node, std::size_t input, ValueId value);
  [[nodiscard]] std::vector<ValueId> reads(const Node& node) const;  // inputs, then captures

  std::vector<Node> nodes_;
  std::vector<bool> live_;
  std::vector<NodeId> order_;
  std::vector<Value> values_;
  std::vector<ValueId> inputs_, outputs_, captures_;
  std::unordered_map<std::string, ValueId> names_;
  std::unordered_map<std::string, int> next_suffix_;  // by hint: where unique_name() starts
};

struct OpsetImport {
  std::string domain;
  std::int64_t version = 0;
  friend bool operator==(const OpsetImport&, const OpsetImport&) = default;
};

// A model: the graph and what stands around it in the file.
struct Model {
  Graph graph;
  std::int64_t ir_version = 0;
  std::vector<OpsetImport> opsets;
  std::string producer_name, producer_version, domain, doc_string;
  std::int64_t model_version = 0;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<std::string> functions;  // FunctionProto messages as wire bytes; nodes may call them
  std::string extra;                   // fields that are not modelled, as wire bytes

  [[nodiscard]] std::int64_t opset(
      std::string_view opset_domain = "") const;  // 0 where not imported
};

// ONNX-like text of a graph, for messages and tests.
[[nodiscard]] std::string to_text(const Graph& graph);

}  // namespace onnxpress
