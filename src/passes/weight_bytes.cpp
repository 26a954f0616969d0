// SPDX-License-Identifier: Apache-2.0
#include "passes/weight_bytes.h"

#include <variant>
#include <vector>

namespace onnxpress {
namespace {

std::int64_t bytes_of(const Tensor& tensor) {
  return static_cast<std::int64_t>(tensor.bytes().size());
}

struct TensorBytes {
  std::int64_t operator()(const Tensor& tensor) const { return bytes_of(tensor); }
  std::int64_t operator()(const Subgraph& body) const { return weight_bytes(body.graph()); }
  template <class T>
  std::int64_t operator()(const std::vector<T>& list) const {
    std::int64_t sum = 0;
    for (const T& item : list) sum += (*this)(item);
    return sum;
  }
  template <class T>
  std::int64_t operator()(const T& /*other*/) const {
    return 0;
  }
};

}  // namespace

std::int64_t weight_bytes(const Graph& graph) {
  std::int64_t sum = 0;
  for (const ValueId id : graph.values()) {
    const Value& value = graph.value(id);
    if (value.constant && !value.producer) sum += bytes_of(*value.constant);
  }
  for (const NodeId id : graph.nodes()) {
    for (const Attribute& attribute : graph.node(id).attributes.all()) {
      sum += std::visit(TensorBytes{}, attribute.value);
    }
  }
  return sum;
}

}  // namespace onnxpress
