// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// A size that is a number, or one that is not known before run time but is the same wherever the
// same symbol stands.
struct SymbolicDim {
  std::int64_t size = 0;    // where `symbol` is 0
  std::int32_t symbol = 0;  // positive: not known
  [[nodiscard]] bool known() const { return symbol == 0; }
  friend bool operator==(const SymbolicDim&, const SymbolicDim&) = default;
};
[[nodiscard]] inline SymbolicDim known(std::int64_t size) {
  return {size, 0};
}
using SymbolicShape = std::vector<SymbolicDim>;

// A size that a value is taken to have, whatever the graph says: what follows from it is derived
// from that.
struct GrantedSize {
  ValueId value = kNoValue;
  std::size_t axis = 0;
  std::int64_t size = 0;
};

// What can be said about the shapes of a graph's values without running it, also where exporters
// compute shapes by Shape, Gather and Concat: enough to read heads and head sizes off a Reshape.
// Linear in the size of the graph. Nothing is said where an operator is not known.
//
//   [batch, sequence, 48] → Reshape(Concat(batch, sequence, -1, 12)) → [batch, sequence, 4, 12]
class SymbolicShapes {
 public:
  explicit SymbolicShapes(const Graph& graph, std::span<const GrantedSize> granted = {});

  // nullptr where not even the rank is known, and for values that came later.
  [[nodiscard]] const SymbolicShape* shape(ValueId value) const;
  // The size along `axis` (negative: from the end); -1 where it is not known.
  [[nodiscard]] std::int64_t size(ValueId value, std::int64_t axis) const;
  // The elements of a small tensor of integers, constant or computed from shapes, if all are known.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(ValueId value) const;
  // One of them, if it is known.
  [[nodiscard]] std::optional<std::int64_t> integer(ValueId value, std::size_t element) const;

 private:
  std::vector<std::optional<SymbolicShape>> shapes_;
  std::vector<std::optional<std::vector<SymbolicDim>>> elements_;
};

}  // namespace onnxpress
