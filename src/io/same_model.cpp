// SPDX-License-Identifier: Apache-2.0
#include "io/same_model.h"

#include <fmt/format.h>

#include <vector>

#include "base/error_codes.h"

namespace onnxpress::io {
namespace {

void require(bool same, const std::string& what) {
  if (!same)
    throw Error(codes::internal_error, "the written model differs from the one in memory: " + what);
}

std::vector<ValueId> initializers(const Graph& graph) {
  std::vector<ValueId> found;
  for (const ValueId id : graph.values()) {
    const Value& v = graph.value(id);
    if (v.constant && !v.producer && !v.is_input) found.push_back(id);
  }
  return found;
}

void require_same(const Graph& a, const Graph& b);

void require_same(const Node& a, const Node& b) {
  const std::string where = fmt::format("node \"{}\" ({})", a.name, a.op_type);
  require(a.name == b.name && a.op_type == b.op_type && a.domain == b.domain, where);
  require(a.inputs.size() == b.inputs.size() && a.outputs.size() == b.outputs.size(), where);
  const auto& left = a.attributes.all();
  const auto& right = b.attributes.all();
  require(left.size() == right.size(), where);
  for (std::size_t i = 0; i < left.size(); ++i) {
    const std::string attribute = fmt::format("{}, attribute \"{}\"", where, left[i].name);
    require(left[i].name == right[i].name && left[i].value.index() == right[i].value.index(),
            attribute);
    if (const auto* t = std::get_if<Tensor>(&left[i].value))
      require(*t == std::get<Tensor>(right[i].value), attribute);
    if (const auto* g = std::get_if<Subgraph>(&left[i].value))
      require_same(g->graph(), std::get<Subgraph>(right[i].value).graph());
  }
}

void require_same(const Graph& a, const Graph& b) {
  require(a.inputs().size() == b.inputs().size(), "inputs");
  require(a.outputs().size() == b.outputs().size(), "outputs");
  require(a.nodes().size() == b.nodes().size(), "number of nodes");
  const auto left = initializers(a);
  const auto right = initializers(b);
  require(left.size() == right.size(), "number of initializers");
  for (std::size_t i = 0; i < left.size(); ++i) {
    require(*a.value(left[i]).constant == *b.value(right[i]).constant,
            fmt::format("initializer \"{}\"", a.value(left[i]).name));
  }
  for (std::size_t i = 0; i < a.nodes().size(); ++i)
    require_same(a.node(a.nodes()[i]), b.node(b.nodes()[i]));
}

}  // namespace

void require_same(const Model& model, const Model& written) {
  require_same(model.graph, written.graph);
}

}  // namespace onnxpress::io
