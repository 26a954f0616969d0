// SPDX-License-Identifier: Apache-2.0
#include "io/graph_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>

#include "io/attribute_reader.h"
#include "io/exporter_notes.h"
#include "io/value_info.h"

namespace onnxpress::io {
namespace {

// Splits off the fields of one number: their payloads, and what is left.
struct Split {
  std::vector<std::string_view> payloads;
  std::string rest;
};

Split split(std::string_view wire, std::uint32_t number) {
  Split result;
  FieldReader reader(as_bytes(wire), "extra");
  for (Field field; reader.next(field);) {
    if (field.number == number && field.type == WireType::length) {
      result.payloads.push_back(text(field.payload));
    } else {
      result.rest.append(text(field.whole));
    }
  }
  return result;
}

class GraphWriter {
 public:
  // `outer`: for a body, the names under which its captures are known in the graph around it.
  GraphWriter(const Graph& graph, bool keep_metadata, DataFile* data,
              std::span<const std::string> outer)
      : graph_(graph), keep_metadata_(keep_metadata), data_(data) {
    name_captures(outer);
  }

  Rope write() {
    Rope out;
    for (const NodeId id : graph_.nodes()) out.put_message(1, write_node(graph_.node(id)));
    if (!graph_.name.empty()) out.put_text(2, graph_.name);
    const std::vector<ValueId> values = graph_.values();
    for (const ValueId id : values) {
      const Value& v = graph_.value(id);
      if (v.constant && !v.producer)
        out.put_message(5, write_tensor(*v.constant, name(id), v.tensor_extra, data_));
    }
    if (!graph_.doc_string.empty()) out.put_text(10, graph_.doc_string);
    for (const ValueId id : graph_.inputs()) out.put_text(11, info(id));
    for (const ValueId id : graph_.outputs()) out.put_text(12, info(id));
    for (const ValueId id : values) {
      if (wants_info(graph_.value(id))) out.put_text(13, info(id));
    }
    out.append(keep_metadata_ ? graph_.extra : without_exporter_notes(graph_.extra, 16));
    return out;
  }

 private:
  // Captured values may have been replaced or renamed outside since the body was read: the body
  // has to use the present names, and give way where it has the same name for something else.
  void name_captures(std::span<const std::string> outer) {
    std::unordered_set<std::string> taken;
    const auto captures = graph_.captures();
    for (std::size_t i = 0; i < captures.size() && i < outer.size(); ++i) {
      if (outer[i] != graph_.value(captures[i]).name) renamed_[captures[i]] = outer[i];
      taken.insert(outer[i]);
    }
    if (renamed_.empty()) return;
    for (const ValueId id : graph_.values()) {
      const Value& v = graph_.value(id);
      if (v.is_capture || !taken.contains(v.name)) continue;
      std::string fresh = v.name;
      for (int n = 1; taken.contains(fresh) || graph_.find_value(fresh); ++n)
        fresh = fmt::format("{}_{}", v.name, n);
      taken.insert(fresh);
      renamed_[id] = fresh;
    }
  }

  [[nodiscard]] const std::string& name(ValueId id) const {
    static const std::string kAbsent;
    if (id == kNoValue) return kAbsent;
    const auto at = renamed_.find(id);
    return at == renamed_.end() ? graph_.value(id).name : at->second;
  }

  [[nodiscard]] std::string notes_removed(std::string_view value_info) const {
    return keep_metadata_ ? std::string(value_info) : without_exporter_notes(value_info, 4);
  }

  [[nodiscard]] std::string info(ValueId id) const {
    const Value& v = graph_.value(id);
    return write_value_info({name(id), v.dtype, v.shape, notes_removed(v.value_info)});
  }

  // Whether a value that is neither input nor output is worth an entry of its own.
  [[nodiscard]] bool wants_info(const Value& v) const {
    if (v.is_input || v.is_output || v.is_capture || (!v.constant && !v.producer)) return false;
    return (v.is_declared && !v.constant && v.dtype != DType::undefined) ||
           !notes_removed(v.value_info).empty();
  }

  Rope write_node(const Node& node) {
    Rope out;
    for (const ValueId id : node.inputs) out.put_text(1, name(id));
    for (const ValueId id : node.outputs) out.put_text(2, name(id));
    if (!node.name.empty()) out.put_text(3, node.name);
    out.put_text(4, node.op_type);
    std::size_t captured = 0;
    for (const Attribute& attribute : node.attributes.all())
      out.put_message(5, write_attribute(attribute, node, captured));
    if (!node.doc_string.empty() && (keep_metadata_ || !is_stack_trace(node.doc_string)))
      out.put_text(6, node.doc_string);
    if (!node.domain.empty()) out.put_text(7, node.domain);
    for (const auto& [key, value] :
         keep_metadata_ ? node.metadata : without_exporter_notes(node.metadata)) {
      Rope entry;
      entry.put_text(1, key);
      entry.put_text(2, value);
      out.put_message(9, std::move(entry));
    }
    // The reader keeps the spelling "ai.onnx" there.
    out.append(node.domain.empty() ? node.extra : split(node.extra, 7).rest);
    return out;
  }

  Rope write_body(const Subgraph& body, const Node& node, std::size_t& captured) {
    std::vector<std::string> outer;
    for (std::size_t i = 0; i < body.graph().captures().size(); ++i)
      outer.push_back(name(node.captures.at(captured++)));
    return GraphWriter(body.graph(), keep_metadata_, data_, outer).write();
  }

  // Writes the value and returns the attribute's type.
  AttributeType write_value(const Attribute& attribute, const Node& node, std::size_t& captured,
                            const std::vector<std::string_view>& tensor_extras, Rope& out) {
    const auto tensor = [&](std::uint32_t field, const Tensor& t, std::size_t index) {
      out.put_message(
          field,
          write_tensor(t, {}, index < tensor_extras.size() ? tensor_extras[index] : "", nullptr));
    };
    return std::visit(
        [&]<class T>(const T& value) {
          if constexpr (std::is_same_v<T, float>) {
            out.put_float(2, value);
            return AttributeType::float_value;
          } else if constexpr (std::is_same_v<T, std::int64_t>) {
            out.put_int(3, value);
            return AttributeType::int_value;
          } else if constexpr (std::is_same_v<T, std::string>) {
            out.put_text(4, value);
            return AttributeType::string_value;
          } else if constexpr (std::is_same_v<T, Tensor>) {
            tensor(5, value, 0);
            return AttributeType::tensor;
          } else if constexpr (std::is_same_v<T, Subgraph>) {
            out.put_message(6, write_body(value, node, captured));
            return AttributeType::graph;
          } else if constexpr (std::is_same_v<T, std::vector<float>>) {
            for (const float v : value) out.put_float(7, v);
            return AttributeType::floats;
          } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
            for (const std::int64_t v : value) out.put_int(8, v);
            return AttributeType::ints;
          } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            for (const std::string& v : value) out.put_text(9, v);
            return AttributeType::strings;
          } else if constexpr (std::is_same_v<T, std::vector<Tensor>>) {
            for (std::size_t i = 0; i < value.size(); ++i) tensor(10, value[i], i);
            return AttributeType::tensors;
          } else if constexpr (std::is_same_v<T, std::vector<Subgraph>>) {
            for (const Subgraph& v : value) out.put_message(11, write_body(v, node, captured));
            return AttributeType::graphs;
          } else {
            static_assert(std::is_same_v<T, OpaqueAttribute>);
            out.append(value.wire);
            return AttributeType::undefined;  // stands in the bytes already
          }
        },
        attribute.value);
  }

  Rope write_attribute(const Attribute& attribute, const Node& node, std::size_t& captured) {
    const Split single = split(attribute.extra, value_field(AttributeType::tensor));
    const Split list = split(single.rest, value_field(AttributeType::tensors));
    const bool is_list = std::holds_alternative<std::vector<Tensor>>(attribute.value);
    Rope out;
    out.put_text(1, attribute.name);
    const AttributeType type =
        write_value(attribute, node, captured, is_list ? list.payloads : single.payloads, out);
    if (type != AttributeType::undefined) out.put_int(20, static_cast<std::int32_t>(type));
    out.append(list.rest);
    return out;
  }

  const Graph& graph_;
  bool keep_metadata_;
  DataFile* data_;
  std::unordered_map<ValueId, std::string> renamed_;
};

}  // namespace

Rope write_graph(const Graph& graph, bool keep_metadata, DataFile* data) {
  return GraphWriter(graph, keep_metadata, data, {}).write();
}

bool has_pure_initializers(const Graph& graph) {
  for (const ValueId id : graph.values()) {
    const Value& v = graph.value(id);
    if (v.constant && !v.producer && !v.is_input) return true;
  }
  const auto in_body = [](const Subgraph& body) { return has_pure_initializers(body.graph()); };
  for (const NodeId id : graph.nodes()) {
    for (const Attribute& a : graph.node(id).attributes.all()) {
      const auto* body = std::get_if<Subgraph>(&a.value);
      const auto* bodies = std::get_if<std::vector<Subgraph>>(&a.value);
      if (body != nullptr && in_body(*body)) return true;
      if (bodies != nullptr && std::ranges::any_of(*bodies, in_body)) return true;
    }
  }
  return false;
}

}  // namespace onnxpress::io
