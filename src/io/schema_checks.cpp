// SPDX-License-Identifier: Apache-2.0
#include "io/schema_checks.h"

#include <fmt/format.h>
#include <onnx/defs/schema.h>

#include <algorithm>
#include <variant>

#include "io/attribute_reader.h"

namespace onnxpress::io {
namespace {

using Schema = onnx::OpSchema;

// In the order of AttributeValue's alternatives; undefined for those that can't be told.
AttributeType type_of(const AttributeValue& value) {
  constexpr AttributeType kTypes[] = {
      AttributeType::int_value, AttributeType::float_value, AttributeType::string_value,
      AttributeType::tensor,    AttributeType::graph,       AttributeType::ints,
      AttributeType::floats,    AttributeType::strings,     AttributeType::tensors,
      AttributeType::graphs,    AttributeType::undefined};
  static_assert(std::size(kTypes) == std::variant_size_v<AttributeValue>);
  return kTypes[value.index()];
}

std::string type_name(int type) {
  return onnx::AttributeProto::AttributeType_Name(
      static_cast<onnx::AttributeProto::AttributeType>(type));
}

class NodeCheck {
 public:
  NodeCheck(const Node& node, Severity severity) : node_(node), severity_(severity) {}

  std::vector<Finding> run(const Schema& schema) {
    if (schema.Deprecated())
      add(fmt::format("is deprecated since opset {}", schema.since_version()));
    count("input", node_.inputs, schema.min_input(), schema.max_input());
    count("output", node_.outputs, schema.min_output(), schema.max_output());
    const auto& formal = schema.inputs();
    for (std::size_t i = 0; i < std::min(node_.inputs.size(), formal.size()); ++i) {
      if (node_.inputs[i] == kNoValue && formal[i].GetOption() == Schema::Single)
        add(fmt::format("input {} (\"{}\") must not be left out", i, formal[i].GetName()));
    }
    attributes(schema);
    return std::move(findings_);
  }

  void add(std::string message) {
    findings_.push_back({severity_, label(node_), std::move(message)});
  }

  std::vector<Finding> take() { return std::move(findings_); }

 private:
  void count(std::string_view what, const std::vector<ValueId>& values, int least, int most) {
    const auto n = static_cast<std::int64_t>(values.size());
    if (n < least) add(fmt::format("needs at least {} {}(s) but has {}", least, what, n));
    if (n > most) add(fmt::format("takes at most {} {}(s) but has {}", most, what, n));
  }

  void attributes(const Schema& schema) {
    const auto& known = schema.attributes();
    for (const Attribute& attribute : node_.attributes.all()) {
      const auto at = known.find(attribute.name);
      if (at == known.end()) {
        if (!attribute.name.starts_with("__"))
          add(fmt::format("has the unknown attribute \"{}\"", attribute.name));
        continue;
      }
      const auto actual = static_cast<int>(type_of(attribute.value));
      const auto expected = static_cast<int>(at->second.type);
      if (actual != 0 && actual != expected) {
        add(fmt::format("attribute \"{}\" should be {} but is {}", attribute.name,
                        type_name(expected), type_name(actual)));
      }
    }
    for (const auto& [attribute_name, attribute] : known) {
      if (attribute.required && !node_.attributes.has(attribute_name))
        add(fmt::format("lacks the attribute \"{}\"", attribute_name));
    }
  }

  const Node& node_;
  Severity severity_;
  std::vector<Finding> findings_;
};

}  // namespace

std::string label(const Node& node) {
  return fmt::format("node \"{}\" ({})", node.name, node.op_type);
}

std::int64_t newest_known_opset(const std::string& domain) {
  const auto& known = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const auto at = known.find(domain);
  return at == known.end() ? 0 : at->second.second;
}

std::vector<Finding> check_node(const Node& node, std::int64_t opset) {
  const std::int64_t newest = newest_known_opset(node.domain);
  if (newest == 0) return {};
  const bool newer = opset > newest;
  NodeCheck check(node, newer ? Severity::info : Severity::error);
  const auto version = static_cast<int>(std::min(opset, newest));
  const Schema* schema = onnx::OpSchemaRegistry::Schema(node.op_type, version, node.domain);
  if (schema != nullptr) return check.run(*schema);
  check.add(newer ? fmt::format("is not among the operators up to opset {}: not checked", newest)
                  : fmt::format("is no operator of {} in opset {}",
                                node.domain.empty() ? "ai.onnx" : node.domain, opset));
  return check.take();
}

}  // namespace onnxpress::io
