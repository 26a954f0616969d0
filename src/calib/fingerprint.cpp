// SPDX-License-Identifier: Apache-2.0
#include "calib/fingerprint.h"

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/sha256.h"

namespace onnxpress {
namespace {

// Every piece is preceded by its length, so that no two different rows of pieces look alike.
class Hasher {
 public:
  template <class T>
  requires std::integral<T> || std::floating_point<T>
  void add(T value) { hash_.add(std::as_bytes(std::span(&value, 1))); }
  void add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    hash_.add(std::as_bytes(std::span(text)));
  }
  template <class T>
  void add(const std::vector<T>& values) {
    add(static_cast<std::uint64_t>(values.size()));
    for (const T& value : values) add(value);
  }
  void add(const std::string& text) { add(std::string_view(text)); }
  void add(const Tensor& tensor) {
    add(static_cast<std::int64_t>(tensor.dtype()));
    add(tensor.dims());
    if (tensor.dtype() == DType::string) {
      add(tensor.as_strings());
    } else {
      hash_.add(tensor.bytes());
    }
  }
  void add(const Subgraph& body) { add(body.graph()); }
  void add(const OpaqueAttribute& attribute) { add(attribute.wire); }

  void add(const Graph& graph) {
    add_names(graph, graph.inputs());
    add_names(graph, graph.outputs());
    add_names(graph, graph.captures());
    for (const ValueId id : graph.values()) {
      const Value& value = graph.value(id);
      if (!value.constant || value.producer) continue;
      add(value.name);
      add(*value.constant);
    }
    for (const NodeId id : graph.nodes()) {
      const Node& node = graph.node(id);
      add(node.domain);
      add(node.op_type);
      add_names(graph, node.inputs);
      add_names(graph, node.outputs);
      add_names(graph, node.captures);
      for (const Attribute& attribute : node.attributes.all()) {
        add(attribute.name);
        add(static_cast<std::uint64_t>(attribute.value.index()));
        std::visit([this](const auto& value) { add(value); }, attribute.value);
      }
    }
  }

  [[nodiscard]] std::string hex() && { return std::move(hash_).hex(); }

 private:
  void add_names(const Graph& graph, std::span<const ValueId> ids) {
    add(static_cast<std::uint64_t>(ids.size()));
    for (const ValueId id : ids) {
      add(id == kNoValue ? std::string_view() : std::string_view(graph.value(id).name));
    }
  }

  Sha256 hash_;
};

}  // namespace

std::string fingerprint(const Model& model) {
  Hasher hasher;
  for (const OpsetImport& opset : model.opsets) {
    hasher.add(opset.domain);
    hasher.add(opset.version);
  }
  hasher.add(model.functions);
  hasher.add(model.graph);
  return std::move(hasher).hex();
}

std::string fingerprint(const Dataset& data) {
  Hasher hasher;
  hasher.add(static_cast<std::uint64_t>(data.size()));
  for (const TextSample& text : data.texts()) {
    hasher.add(text.ids);
    hasher.add(text.type_ids);
  }
  for (const NamedTensor& array : data.arrays()) {
    hasher.add(array.name);
    hasher.add(array.tensor);
  }
  return std::move(hasher).hex();
}

}  // namespace onnxpress
