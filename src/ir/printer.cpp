// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ir/graph.h"

namespace onnxpress {
namespace {

std::string type_text(const Value& v) {
  return fmt::format("{}{}", name(v.dtype), v.shape ? to_string(*v.shape) : "");
}

std::string value_list(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  for (const ValueId id : ids) names.push_back(id == kNoValue ? "" : graph.value(id).name);
  return fmt::format("{}", fmt::join(names, ", "));
}

struct AttributeText {
  std::string operator()(std::int64_t v) const { return std::to_string(v); }
  std::string operator()(float v) const { return fmt::format("{}", v); }
  std::string operator()(const std::string& v) const { return fmt::format("\"{}\"", v); }
  std::string operator()(const Tensor& v) const {
    return fmt::format("{}{}", name(v.dtype()), to_string(v.dims()));
  }
  std::string operator()(const Subgraph& v) const { return "{\n" + to_text(v.graph()) + "}"; }
  std::string operator()(const std::vector<std::int64_t>& v) const {
    return fmt::format("[{}]", fmt::join(v, ", "));
  }
  std::string operator()(const std::vector<float>& v) const {
    return fmt::format("[{}]", fmt::join(v, ", "));
  }
  std::string operator()(const std::vector<std::string>& v) const {
    return fmt::format("[\"{}\"]", fmt::join(v, "\", \""));
  }
  std::string operator()(const std::vector<Tensor>& v) const {
    return fmt::format("[{} tensors]", v.size());
  }
  std::string operator()(const std::vector<Subgraph>& v) const {
    return fmt::format("[{} graphs]", v.size());
  }
  std::string operator()(const OpaqueAttribute&) const { return "?"; }
};

}  // namespace

std::string to_text(const Graph& graph) {
  const auto declared = [&](std::span<const ValueId> ids) {
    std::vector<std::string> parts;
    for (const ValueId id : ids) {
      parts.push_back(fmt::format("{} {}", type_text(graph.value(id)), graph.value(id).name));
    }
    return fmt::format("{}", fmt::join(parts, ", "));
  };
  std::string text = fmt::format("{} ({}) => ({}) {{\n", graph.name, declared(graph.inputs()),
                                 declared(graph.outputs()));
  for (const ValueId id : graph.values()) {
    const Value& v = graph.value(id);
    if (v.constant && !v.producer) text += fmt::format("  const {} {}\n", type_text(v), v.name);
  }
  for (const NodeId id : graph.nodes()) {
    const Node& n = graph.node(id);
    std::vector<std::string> attributes;
    for (const Attribute& a : n.attributes.all()) {
      attributes.push_back(fmt::format("{} = {}", a.name, std::visit(AttributeText{}, a.value)));
    }
    text += fmt::format("  {} = {}{}{}({})\n", value_list(graph, n.outputs),
                        n.domain.empty() ? "" : n.domain + ".", n.op_type,
                        attributes.empty() ? "" : fmt::format(" <{}>", fmt::join(attributes, ", ")),
                        value_list(graph, n.inputs));
  }
  return text + "}\n";
}

}  // namespace onnxpress
