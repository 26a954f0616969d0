// SPDX-License-Identifier: Apache-2.0
#include "passes/bypass_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "model/symbolic_shapes.h"
#include "passes/pruning/concrete_sizes.h"
#include "passes/type_inference.h"

namespace onnxpress {
namespace {

std::string why_not_alike(const Graph& graph, const TransformerLayer& layer) {
  const auto types = infer_types(graph);
  const DType before = types[static_cast<std::size_t>(layer.entering)];
  const DType after = types[static_cast<std::size_t>(layer.leaving)];
  if (before != after) {
    return fmt::format("{} enters it and {} leaves it", name(before), name(after));
  }
  const auto sizes = concrete_sizes(graph);
  const SymbolicShapes shapes(graph, sizes);
  const SymbolicShape* entering = shapes.shape(layer.entering);
  const SymbolicShape* leaving = shapes.shape(layer.leaving);
  if (entering == nullptr || leaving == nullptr || entering->empty()) {
    return "the shape of what enters or leaves it is not known";
  }
  if (*entering != *leaving) return "what leaves it has another shape than what enters it";
  return "";
}

// The anchors of the layer's blocks: when these are gone, all of the layer is.
std::vector<NodeId> anchors(const TransformerView& view, const TransformerLayer& layer) {
  std::vector<NodeId> nodes;
  for (const std::size_t i : layer.attentions) {
    const Attention& block = view.attentions()[i];
    nodes.push_back(block.softmax);
    for (const auto& unit : {block.q_unit, block.k_unit, block.v_unit, block.output_unit}) {
      if (unit) nodes.push_back(view.units()[*unit].product);
    }
  }
  for (const std::size_t i : layer.feed_forwards) {
    const FeedForward& block = view.feed_forwards()[i];
    nodes.push_back(view.units()[block.up].product);
    nodes.push_back(view.units()[block.down].product);
  }
  return nodes;
}

// Some output of the graph that depends on what `from` computes and not on what leaves the layer.
std::string reader_of(const Graph& graph, NodeId from) {
  std::set<ValueId> behind(graph.node(from).outputs.begin(), graph.node(from).outputs.end());
  for (const NodeId id : graph.nodes()) {
    const Node& node = graph.node(id);
    const bool reads =
        std::ranges::any_of(node.inputs, [&](ValueId input) { return behind.contains(input); });
    if (reads) behind.insert(node.outputs.begin(), node.outputs.end());
  }
  for (const ValueId output : graph.outputs()) {
    if (behind.contains(output)) return graph.value(output).name;
  }
  return "";
}

// The output of the graph that left the layer is now the value that enters it, under its own name.
void put_in_place(Graph& graph, const TransformerLayer& layer) {
  graph.replace_all_uses(layer.leaving, layer.entering);
  if (!graph.value(layer.leaving).is_output) return;
  graph.erase(*graph.producer_id(layer.leaving));
  Node identity;
  identity.name = graph.value(layer.leaving).name + "_kept";
  identity.op_type = "Identity";
  identity.inputs = {layer.entering};
  identity.outputs = {layer.leaving};
  graph.add_node(std::move(identity));
}

}  // namespace

std::string bypass_layer(Graph& graph, const TransformerView& view, const TransformerLayer& layer) {
  if (std::string why = why_not_alike(graph, layer); !why.empty()) return why;
  const auto producer = graph.producer_id(layer.leaving);
  for (const ValueId other : graph.node(*producer).outputs) {
    if (other == kNoValue || other == layer.leaving) continue;
    if (!graph.value(other).uses.empty() || graph.value(other).is_output) {
      return fmt::format("\"{}\" leaves it, too", graph.value(other).name);
    }
  }
  Graph trial = graph;
  put_in_place(trial, layer);
  trial.sort();
  trial.remove_unused();
  const std::set<NodeId> live(trial.nodes().begin(), trial.nodes().end());
  for (const NodeId id : anchors(view, layer)) {
    if (!live.contains(id)) continue;
    const std::string reader = reader_of(trial, id);
    return fmt::format(
        "its inner values are read elsewhere{}",
        reader.empty() ? "" : fmt::format(": output \"{}\" depends on them", reader));
  }
  graph = std::move(trial);
  return "";
}

}  // namespace onnxpress
