// SPDX-License-Identifier: Apache-2.0
#include "exec/widen.h"

#include <algorithm>
#include <vector>

namespace onnxpress::exec {
namespace {

constexpr std::int64_t kFloat = static_cast<std::int64_t>(DType::float32);

bool is_half(DType type) {
  return type == DType::float16 || type == DType::bfloat16;
}

Tensor widened(const Tensor& half) {
  std::vector<float> values(static_cast<std::size_t>(half.size()));
  if (half.dtype() == DType::float16) {
    std::ranges::transform(half.as<Half>(), values.begin(),
                           [](Half h) { return half_to_float(h.bits); });
  } else {
    std::ranges::transform(half.as<BFloat16>(), values.begin(),
                           [](BFloat16 b) { return bfloat16_to_float(b.bits); });
  }
  return Tensor::of<float>(half.dims(), std::move(values));
}

bool is_only_gathered(const Graph& graph, const Value& value) {
  return std::ranges::all_of(value.uses, [&](const Use& use) {
    return graph.node(use.node).is("Gather") && use.input == 0;
  });
}

// Whoever reads `value` reads it as float32 instead.
void widen_reads(Graph& graph, ValueId value) {
  const std::vector<Use> uses = graph.value(value).uses;
  const ValueId wide =
      graph.add("Cast", {value}, {{"to", kFloat}}, graph.value(value).name + "_wide", "",
                DType::float32, graph.value(value).shape);
  for (const Use& use : uses) graph.set_input(use.node, use.input, wide);
}

void widen_attributes(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  Attributes& attributes = graph.attributes(id);
  for (const char* name : {"to", "dtype", "output_dtype"}) {
    if (!node.is("Cast") && !node.is("EyeLike") && !node.is("DequantizeLinear")) break;
    if (!attributes.has(name)) continue;
    if (is_half(static_cast<DType>(attributes.get_int(name, 0)))) attributes.set(name, kFloat);
  }
  if (!node.is("ConstantOfShape")) return;
  const Tensor* value = attributes.get_tensor("value");
  if (value != nullptr && is_half(value->dtype())) attributes.set("value", widened(*value));
}

// The node computes float32; its output, which is the graph's too, is made from that by a Cast.
void narrow_output(Graph& graph, NodeId id, std::size_t i, DType type) {
  Node node = graph.node(id);
  const ValueId output = node.outputs[i];
  const ValueId wide = graph.add_value(graph.value(output).name + "_wide", DType::float32,
                                       graph.value(output).shape);
  graph.replace_all_uses(output, wide);
  node.outputs[i] = wide;
  graph.erase(id);
  graph.add_node(std::move(node));
  graph.add_node({.name = graph.value(output).name + "_narrow",
                  .op_type = "Cast",
                  .domain = "",
                  .inputs = {wide},
                  .outputs = {output},
                  .attributes = {{"to", static_cast<std::int64_t>(type)}}});
}

}  // namespace

void compute_halves_as_floats(Graph& graph, std::span<const DType> types) {
  if (std::ranges::none_of(types, is_half)) return;
  const std::vector<NodeId> nodes(graph.nodes().begin(), graph.nodes().end());
  if (std::ranges::any_of(nodes, [&](NodeId id) { return !graph.node(id).captures.empty(); }))
    return;
  for (const ValueId id : graph.values()) {
    const Value& value = graph.value(id);
    if (value.is_input && is_half(value.dtype)) widen_reads(graph, id);
    const Tensor* constant = graph.constant(id);
    if (constant == nullptr || !is_half(constant->dtype()) || value.uses.empty()) continue;
    if (is_only_gathered(graph, value)) continue;
    graph.replace_all_uses(id, graph.add_constant(value.name, widened(*constant)));
  }
  for (const NodeId id : nodes) {
    if (graph.node(id).is("Constant")) continue;
    widen_attributes(graph, id);
    const Node& node = graph.node(id);
    const Tensor* table = node.is("Gather") ? graph.constant(node.input(0)) : nullptr;
    if (table != nullptr && is_half(table->dtype())) {
      widen_reads(graph, node.outputs.at(0));
      continue;
    }
    const std::vector<ValueId> outputs = node.outputs;
    NodeId producer = id;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == kNoValue) continue;
      const DType type = types[static_cast<std::size_t>(outputs[i])];
      if (!is_half(type)) continue;
      if (!graph.value(outputs[i]).is_output) {
        graph.set_type(outputs[i], DType::float32, graph.value(outputs[i]).shape);
        continue;
      }
      narrow_output(graph, producer, i, type);
      producer = *graph.producer_id(graph.producer(outputs[i])->inputs[0]);
    }
  }
  graph.remove_unused();
  graph.sort();
}

}  // namespace onnxpress::exec
