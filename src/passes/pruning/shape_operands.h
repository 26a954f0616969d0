// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "model/symbolic_shapes.h"

namespace onnxpress {

// Changes of single elements of integer operands: of a target shape, of the ends of a Slice. The
// change is for one node alone: others that read the same constant, or the Concat that exporters
// put such shapes together with, keep theirs; nodes that want the same change share it.
//
//   Reshape(x, Concat(batch, sequence, [4], [12])), element 2 → 3:
//   Reshape(x, Concat'(batch, sequence, [3], [12]))
class ElementChanges {
 public:
  // Both must outlive this.
  ElementChanges(Graph& graph, const SymbolicShapes& shapes) : graph_(graph), shapes_(shapes) {}

  // False where nothing is known to change; the graph then holds at most nodes that nobody reads.
  bool set(NodeId node, std::size_t input, std::size_t element, std::int64_t number);

 private:
  struct Change {
    ValueId value;
    std::size_t element;
    std::int64_t number;
    friend auto operator<=>(const Change&, const Change&) = default;
  };
  std::optional<ValueId> changed(const Change& change, int depth);
  std::optional<ValueId> make(const Change& change, int depth);
  std::optional<ValueId> make_constant(const Change& change);
  std::optional<ValueId> make_concat(Node node, const Change& change, int depth);
  ValueId add_numbers(ValueId like, std::vector<std::int64_t> numbers, bool scalar);
  ValueId add_copy(Node node, ValueId like);

  Graph& graph_;
  const SymbolicShapes& shapes_;
  std::map<Change, ValueId> made_;
};

}  // namespace onnxpress
