// SPDX-License-Identifier: Apache-2.0
#include "calib/graph_changes.h"

#include <algorithm>
#include <variant>

namespace onnxpress {
namespace {

bool same_graph(const Graph& a, const Graph& b);

bool same(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) return false;
  constexpr std::size_t kSmall = 1024;  // cheap to compare by contents
  if (a.dtype() == DType::string || a.bytes().size() <= kSmall) return a == b;
  return a.bytes().data() == b.bytes().data();
}
bool same(const Subgraph& a, const Subgraph& b) {
  return same_graph(a.graph(), b.graph());
}
bool same(const OpaqueAttribute& a, const OpaqueAttribute& b) {
  return a.wire == b.wire;
}
template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}
bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b);
}
bool same(const std::vector<Subgraph>& a, const std::vector<Subgraph>& b) {
  return std::ranges::equal(
      a, b, [](const Subgraph& x, const Subgraph& y) { return same_graph(x.graph(), y.graph()); });
}

bool same(const Attribute& a, const Attribute& b) {
  if (a.name != b.name || a.value.index() != b.value.index()) return false;
  return std::visit(
      [&](const auto& value) {
        return same(value, std::get<std::decay_t<decltype(value)>>(b.value));
      },
      a.value);
}

bool same_node(const Node& a, const Node& b) {
  return a.op_type == b.op_type && a.domain == b.domain && a.inputs == b.inputs &&
         a.outputs == b.outputs && a.captures == b.captures &&
         std::ranges::equal(a.attributes.all(), b.attributes.all(),
                            [](const Attribute& x, const Attribute& y) { return same(x, y); });
}

bool exists(const Graph& graph, ValueId id) {
  return static_cast<std::size_t>(id) < graph.value_capacity();
}

// Of a value that no node computes.
bool same_source(const Graph& before, const Graph& after, ValueId id) {
  if (!exists(before, id)) return false;
  const Value& a = before.value(id);
  const Value& b = after.value(id);
  if (a.producer || a.is_input != b.is_input || a.constant.has_value() != b.constant.has_value()) {
    return false;
  }
  return !a.constant || same(*a.constant, *b.constant);
}

bool same_graph(const Graph& a, const Graph& b) {
  const auto changed = changed_values(a, b);
  return std::ranges::equal(a.outputs(), b.outputs()) &&
         std::ranges::none_of(b.outputs(),
                              [&](ValueId id) { return changed[static_cast<std::size_t>(id)]; });
}

}  // namespace

std::vector<bool> changed_values(const Graph& before, const Graph& after) {
  std::vector<bool> changed(after.value_capacity(), false);
  const auto is_changed = [&](ValueId id) {
    if (id == kNoValue) return false;
    if (after.value(id).producer) return static_cast<bool>(changed[static_cast<std::size_t>(id)]);
    return !same_source(before, after, id);
  };
  for (const ValueId id : after.values()) {
    if (!after.value(id).producer) changed[static_cast<std::size_t>(id)] = is_changed(id);
  }
  for (const NodeId id : after.nodes()) {
    const Node& node = after.node(id);
    for (const ValueId output : node.outputs) {
      if (output == kNoValue) continue;
      const Node* old = exists(before, output) ? before.producer(output) : nullptr;
      changed[static_cast<std::size_t>(output)] = old == nullptr || !same_node(*old, node) ||
                                                  std::ranges::any_of(node.inputs, is_changed) ||
                                                  std::ranges::any_of(node.captures, is_changed);
    }
  }
  return changed;
}

}  // namespace onnxpress
