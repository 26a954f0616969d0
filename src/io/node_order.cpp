// SPDX-License-Identifier: Apache-2.0
#include "io/node_order.h"

#include <fmt/format.h>

#include <utility>

#include "base/error_codes.h"
#include "ir/graph.h"

namespace onnxpress::io {
namespace {

constexpr int kMaxDepth = 32;

struct Sketch {
  std::string name, op_type;
  std::vector<std::string> reads;  // those of its bodies included
  std::vector<std::string> writes;
};

void sketch_node(Bytes message, int depth, Sketch& sketch);

void sketch_body(Bytes graph, int depth, Sketch& sketch) {
  FieldReader reader(graph, "GraphProto");
  for (Field field; reader.next(field);) {
    if (field.number != 1) continue;
    Sketch inner;
    sketch_node(field.as_bytes(), depth + 1, inner);
    sketch.reads.insert(sketch.reads.end(), inner.reads.begin(), inner.reads.end());
  }
}

void sketch_node(Bytes message, int depth, Sketch& sketch) {
  FieldReader reader(message, "NodeProto");
  for (Field field; reader.next(field);) {
    if (field.number == 1) sketch.reads.emplace_back(field.as_text());
    if (field.number == 2) sketch.writes.emplace_back(field.as_text());
    if (field.number == 3) sketch.name = field.as_text();
    if (field.number == 4) sketch.op_type = field.as_text();
    if (field.number != 5 || depth >= kMaxDepth) continue;
    FieldReader attribute(field.as_bytes(), "AttributeProto");
    for (Field value; attribute.next(value);) {
      if (value.number == 6 || value.number == 11) sketch_body(value.as_bytes(), depth, sketch);
    }
  }
}

// The order of a graph that has just these nodes.
std::vector<std::size_t> sorted(const std::vector<Sketch>& sketches) {
  Graph graph;
  const auto value = [&](const std::string& name) {
    if (name.empty()) return kNoValue;
    const auto id = graph.find_value(name);
    return id ? *id : graph.add_value(name);
  };
  for (const Sketch& sketch : sketches) {
    Node node;
    node.name = sketch.name;
    node.op_type = sketch.op_type;
    for (const std::string& input : sketch.reads) node.inputs.push_back(value(input));
    for (const std::string& output : sketch.writes) node.outputs.push_back(value(output));
    graph.add_node(std::move(node));
  }
  graph.sort();
  std::vector<std::size_t> order;
  for (const NodeId id : graph.nodes()) order.push_back(static_cast<std::size_t>(id));
  return order;
}

}  // namespace

std::vector<Bytes> sorted_nodes(const std::vector<Bytes>& nodes) {
  std::vector<Sketch> sketches;
  for (const Bytes node : nodes) sketch_node(node, 0, sketches.emplace_back());
  std::vector<Bytes> result;
  for (const std::size_t i : sorted(sketches)) result.push_back(nodes[i]);
  return result;
}

void explain_order(const std::vector<Bytes>& nodes, std::size_t at, std::string_view name,
                   const std::string& reader) {
  std::vector<Sketch> sketches;
  const Sketch* producer = nullptr;
  for (std::size_t i = at; i < nodes.size(); ++i) sketch_node(nodes[i], 0, sketches.emplace_back());
  for (const Sketch& sketch : sketches) {
    for (const std::string& output : sketch.writes) {
      if (output == name) producer = &sketch;
    }
  }
  if (producer == nullptr) return;
  (void)sorted(sketches);  // names the cycle if there is one
  throw Error(codes::graph_malformed,
              fmt::format("{} reads \"{}\", which node \"{}\" ({}) produces only after it", reader,
                          name, producer->name, producer->op_type),
              "the nodes have to be sorted topologically: add --fix-order");
}

}  // namespace onnxpress::io
