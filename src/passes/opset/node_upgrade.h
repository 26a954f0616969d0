// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "model/symbolic_shapes.h"
#include "onnxpress/error.h"

namespace onnxpress {

// Error (unsupported_model) of a model that can't be raised.
[[nodiscard]] Error cannot_raise(const std::string& message);

// A graph (the model's, or a body) whose nodes are being rewritten for a newer opset, and what was
// known of its values before that.
class GraphUpgrade {
 public:
  // `names` are those of all values of the model, bodies included: a new name must not hide one of
  // the graph around.
  GraphUpgrade(Graph& graph, std::set<std::string>& names);

  [[nodiscard]] Graph& graph() { return graph_; }
  [[nodiscard]] DType type(ValueId id) const;         // undefined where not known
  [[nodiscard]] std::int64_t rank(ValueId id) const;  // -1 where not known
  [[nodiscard]] std::int64_t size(ValueId id, std::int64_t axis) const;  // -1 where not known

  // A list of integers as a constant; equal lists are one constant.
  ValueId list(const std::vector<std::int64_t>& values);
  // A new initializer named like `hint`.
  ValueId constant(std::string_view hint, Tensor tensor);
  // A number of that type. Throws Error (unsupported_model) for types other than floats.
  ValueId number(std::string_view hint, DType type, double value);
  // A new value named like `hint`, of the type of `like`.
  ValueId value(std::string_view hint, ValueId like);

 private:
  std::string unique(std::string_view hint);

  Graph& graph_;
  std::set<std::string>& names_;
  std::vector<DType> types_;
  SymbolicShapes shapes_;
  std::map<std::vector<std::int64_t>, ValueId> lists_;
};

// One node on its way to the target opset. A rule changes `node`, which has been taken out of the
// graph and is put back after the last rule; it may add other nodes around it.
struct NodeUpgrade {
  GraphUpgrade& graph;
  Node node;
  std::int64_t version = 0;  // of the opset at which the rule's change came
  std::int64_t target = 0;   // the opset that the model will have

  // Name for messages and for what is made beside the node.
  [[nodiscard]] std::string name() const;
  // Puts a value at input number `index`; inputs before it that were left out stay so.
  void set_input(std::size_t index, ValueId value);
  // Throws Error (unsupported_model): the change can't be applied to this node.
  [[noreturn]] void refuse(std::string_view why) const;
};

}  // namespace onnxpress
