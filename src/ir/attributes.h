// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ir/tensor.h"

namespace onnxpress {

class Graph;

// The body of an If, Loop or Scan, held by value: copying it copies the graph (whose weights stay
// shared).
class Subgraph {
 public:
  explicit Subgraph(Graph graph);
  Subgraph(const Subgraph& other);
  Subgraph(Subgraph&&) noexcept = default;
  Subgraph& operator=(const Subgraph& other);
  Subgraph& operator=(Subgraph&&) noexcept = default;
  ~Subgraph();
  [[nodiscard]] Graph& graph() { return *graph_; }
  [[nodiscard]] const Graph& graph() const { return *graph_; }

 private:
  std::unique_ptr<Graph> graph_;
};

// An attribute of a kind that is not modelled (sparse tensors, types, references to a function's
// attribute): its fields as they stand in the file, written back verbatim.
struct OpaqueAttribute {
  std::string wire;
};

using AttributeValue =
    std::variant<std::int64_t, float, std::string, Tensor, Subgraph, std::vector<std::int64_t>,
                 std::vector<float>, std::vector<std::string>, std::vector<Tensor>,
                 std::vector<Subgraph>, OpaqueAttribute>;

struct Attribute {
  std::string name;
  AttributeValue value;
  std::string extra;  // fields that are not modelled, as wire bytes; written back verbatim
};

// The attributes of a node, in the order of the file. Getters return the given default where an
// attribute is absent and throw Error (attribute_malformed) where it has another type.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::string, AttributeValue>> values);

  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] const Attribute* find(std::string_view name) const;
  [[nodiscard]] std::int64_t get_int(std::string_view name, std::int64_t fallback) const;
  [[nodiscard]] float get_float(std::string_view name, float fallback) const;
  [[nodiscard]] std::string get_string(std::string_view name, std::string_view fallback) const;
  [[nodiscard]] std::vector<std::int64_t> get_ints(std::string_view name,
                                                   std::vector<std::int64_t> fallback = {}) const;
  [[nodiscard]] std::vector<float> get_floats(std::string_view name,
                                              std::vector<float> fallback = {}) const;
  [[nodiscard]] const Tensor* get_tensor(std::string_view name) const;  // nullptr where absent
  // As the getters, but absence is an error as well.
  [[nodiscard]] std::int64_t require_int(std::string_view name) const;

  void set(std::string_view name, AttributeValue value);  // replaces one of the same name
  void append(Attribute attribute);  // for the reader; throws Error if the name is taken
  void erase(std::string_view name);

  [[nodiscard]] const std::vector<Attribute>& all() const { return attributes_; }
  [[nodiscard]] std::vector<Attribute>& all() { return attributes_; }

 private:
  template <class T>
  [[nodiscard]] const T* typed(std::string_view name) const;
  std::vector<Attribute> attributes_;
};

}  // namespace onnxpress
