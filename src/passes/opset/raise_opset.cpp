// SPDX-License-Identifier: Apache-2.0
#include "passes/opset/raise_opset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "passes/opset/history.h"

namespace onnxpress {
namespace {

// Opsets and the IR version of the ONNX release that brought them.
constexpr std::array<std::pair<std::int64_t, std::int64_t>, 7> kIrVersions{
    {{9, 4}, {10, 5}, {11, 6}, {12, 7}, {15, 8}, {19, 9}, {21, 10}}};

class Raiser {
 public:
  Raiser(std::int64_t from, std::int64_t target) : from_(from), target_(target) {}

  void raise(Graph& graph) {
    collect_names(graph);
    raise_graph(graph);
  }
  std::map<std::string, std::size_t> rewritten;

 private:
  template <class Visit>
  static void visit_bodies(Attributes& attributes, const Visit& visit) {
    for (Attribute& attribute : attributes.all()) {
      if (auto* body = std::get_if<Subgraph>(&attribute.value)) visit(body->graph());
      if (auto* bodies = std::get_if<std::vector<Subgraph>>(&attribute.value)) {
        for (Subgraph& each : *bodies) visit(each.graph());
      }
    }
  }

  void collect_names(Graph& graph) {
    for (const ValueId id : graph.values()) names_.insert(graph.value(id).name);
    for (const NodeId id : graph.nodes()) {
      visit_bodies(graph.attributes(id), [&](Graph& body) { collect_names(body); });
    }
  }

  void raise_graph(Graph& graph) {
    graph.sort();
    GraphUpgrade upgrade(graph, names_);
    const std::vector<NodeId> nodes(graph.nodes().begin(), graph.nodes().end());
    for (const NodeId id : nodes) {
      raise_bodies(upgrade, id);
      if (graph.node(id).domain.empty()) raise_node(upgrade, id);
    }
    graph.remove_unused();
    graph.sort();
  }

  // A body's values that stand for values of the graph around it get the types they have there.
  void raise_bodies(GraphUpgrade& upgrade, NodeId id) {
    const std::vector<ValueId> captures = upgrade.graph().node(id).captures;
    std::size_t next = 0;
    visit_bodies(upgrade.graph().attributes(id), [&](Graph& body) {
      for (const ValueId inner : body.captures()) {
        Value& value = body.mutable_value(inner);
        if (value.dtype == DType::undefined) value.dtype = upgrade.type(captures.at(next));
        ++next;
      }
      raise_graph(body);
    });
  }

  void raise_node(GraphUpgrade& upgrade, NodeId id) {
    Graph& graph = upgrade.graph();
    const Node& old = graph.node(id);
    if (introduced(old.op_type) > from_) {
      throw cannot_raise(
          fmt::format("node \"{}\" ({}) is of an operator that came with opset {}, but the "
                      "model says opset {}",
                      old.name, old.op_type, introduced(old.op_type), from_));
    }
    NodeUpgrade up{upgrade, old, from_, target_};
    bool taken_out = false;
    while (const OperatorChange* change = next_change(up.node.op_type, up.version, target_)) {
      up.version = change->version;
      if (change->rule == nullptr) continue;
      if (!taken_out) {
        ++rewritten[up.node.op_type];
        graph.erase(id);
      }
      taken_out = true;
      change->rule(up);
    }
    if (taken_out) graph.add_node(std::move(up.node));
  }

  std::int64_t from_;
  std::int64_t target_;
  std::set<std::string> names_;
};

}  // namespace

std::map<std::string, std::size_t> raise_opset(Model& model, std::int64_t target) {
  const std::int64_t from = model.opset();
  if (from >= target) return {};
  if (from < kOldestRaisable || target > kNewestRaised) {
    throw cannot_raise(fmt::format("opset {} can't be raised to {}: only {} to {} are known", from,
                                   target, kOldestRaisable, kNewestRaised));
  }
  if (!model.functions.empty()) {
    throw cannot_raise(fmt::format(
        "opset {} can't be raised to {}: the model has functions of its own", from, target));
  }
  Model raised = model;
  Raiser raiser(from, target);
  raiser.raise(raised.graph);
  for (OpsetImport& import : raised.opsets) {
    if (import.domain.empty() || import.domain == "ai.onnx") import.version = target;
  }
  for (const auto& [opset, ir] : kIrVersions) {
    if (target >= opset) raised.ir_version = std::max(raised.ir_version, ir);
  }
  model = std::move(raised);
  return std::move(raiser.rewritten);
}

}  // namespace onnxpress
