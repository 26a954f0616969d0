// SPDX-License-Identifier: Apache-2.0
#include "model/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "model/symbolic_shapes.h"

namespace onnxpress {
namespace {

// What a node computes of a value's shape does not depend on the value.
bool looks_at_shape_only(const Node& node) {
  return node.is("Shape") || node.is("Size");
}

struct Positions {
  explicit Positions(const Graph& graph) {
    for (const NodeId id : graph.nodes()) of.emplace(id, static_cast<std::int64_t>(of.size()));
  }
  [[nodiscard]] std::int64_t at(NodeId id) const {
    const auto found = of.find(id);
    return found == of.end() ? -1 : found->second;
  }
  std::map<NodeId, std::int64_t> of;
};

// A value that all flows through, behind the node at `position` (-1: the source).
struct Waypoint {
  std::int64_t position = -1;
  ValueId value = kNoValue;
};

// The flow of one source through the graph.
class Flow {
 public:
  Flow(const Graph& graph, ValueId source) : graph_(graph), source_(source) {
    flowing_.insert(source);
    for (const NodeId id : graph.nodes()) {
      const Node& node = graph.node(id);
      if (looks_at_shape_only(node) || !reads_flow(node)) continue;
      nodes_.insert(id);
      for (const ValueId output : node.outputs) flowing_.insert(output);
    }
  }

  [[nodiscard]] bool has(NodeId id) const { return nodes_.contains(id); }
  [[nodiscard]] bool has(ValueId id) const { return flowing_.contains(id); }

  // In the order of the graph, from the source on; counting only what flows to outputs that depend
  // on `last`: earlier ones (kept keys and values, say) are side branches.
  [[nodiscard]] std::vector<Waypoint> waypoints(ValueId last, const Positions& positions) const {
    const std::set<NodeId> to_end = nodes_to_end(last);
    std::map<ValueId, std::size_t> left;  // uses that are still to come
    const auto uses_of = [&](ValueId id) {
      return static_cast<std::size_t>(std::ranges::count_if(
          graph_.value(id).uses, [&](const Use& use) { return to_end.contains(use.node); }));
    };
    std::vector<Waypoint> waypoints{{-1, source_}};
    left[source_] = uses_of(source_);
    for (const NodeId id : graph_.nodes()) {
      if (!to_end.contains(id)) continue;
      const Node& node = graph_.node(id);
      for (const auto* reads : {&node.inputs, &node.captures}) {
        for (const ValueId read : *reads) {
          const auto at = left.find(read);
          if (at != left.end() && --at->second == 0) left.erase(at);
        }
      }
      for (const ValueId output : node.outputs) {
        if (output == kNoValue) continue;
        if (const std::size_t uses = uses_of(output); uses > 0) left.emplace(output, uses);
        if (left.empty() && graph_.value(output).is_output) {  // the end, or a state that is shown
          waypoints.push_back({positions.at(id), output});
        }
      }
      if (left.size() == 1) waypoints.push_back({positions.at(id), left.begin()->first});
    }
    return waypoints;
  }

 private:
  [[nodiscard]] bool reads_flow(const Node& node) const {
    const auto flows = [&](ValueId id) { return id != kNoValue && flowing_.contains(id); };
    return std::ranges::any_of(node.inputs, flows) || std::ranges::any_of(node.captures, flows);
  }

  // Nodes of the flow from which something reaches an output that depends on `last`.
  [[nodiscard]] std::set<NodeId> nodes_to_end(ValueId last) const {
    std::set<ValueId> behind{last};
    std::set<ValueId> needed;
    for (const NodeId id : graph_.nodes()) {
      if (!nodes_.contains(id)) continue;
      const Node& node = graph_.node(id);
      const bool depends =
          std::ranges::any_of(node.inputs, [&](ValueId input) { return behind.contains(input); });
      for (const ValueId output : node.outputs) {
        if (output == kNoValue) continue;
        if (depends) behind.insert(output);
        if (behind.contains(output) && graph_.value(output).is_output) needed.insert(output);
      }
    }
    std::set<NodeId> found;
    const auto order = graph_.nodes();
    for (auto id = order.rbegin(); id != order.rend(); ++id) {
      if (!nodes_.contains(*id)) continue;
      const Node& node = graph_.node(*id);
      if (std::ranges::none_of(node.outputs, [&](ValueId o) { return needed.contains(o); }))
        continue;
      found.insert(*id);
      needed.insert(node.inputs.begin(), node.inputs.end());
      needed.insert(node.captures.begin(), node.captures.end());
    }
    return found;
  }

  const Graph& graph_;
  ValueId source_;
  std::set<NodeId> nodes_;
  std::set<ValueId> flowing_;
};

// Where the flow may begin: what is looked up by data, or else what comes in.
std::vector<ValueId> sources_of(const Graph& graph, const TransformerView& view) {
  std::vector<ValueId> sources;
  for (const Embedding& table : view.embeddings()) {
    if (table.kind == EmbeddingKind::position) continue;
    for (const NodeId gather : table.gathers) sources.push_back(graph.node(gather).outputs.front());
  }
  for (const ValueId input : graph.inputs()) {
    const DType type = graph.value(input).dtype;
    const bool floats = type == DType::float32 || type == DType::float16 || type == DType::bfloat16;
    if (floats) sources.push_back(input);
  }
  return sources;
}

// What names have in common, up to a separator.
std::string common_beginning(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string common = names.front();
  for (const std::string& name : names) {
    const auto end = std::ranges::mismatch(common, name).in1;
    common.resize(static_cast<std::size_t>(end - common.begin()));
  }
  for (const std::string& name : names) {  // "layer.1" is not the beginning of "layer.10"
    if (common.size() < name.size() && name[common.size()] != '/' && name[common.size()] != '.') {
      const std::size_t cut = common.find_last_of("/.");
      common.resize(cut == std::string::npos ? 0 : cut);
      break;
    }
  }
  while (!common.empty() && (common.back() == '/' || common.back() == '.')) common.pop_back();
  return common;
}

class LayerFinder {
 public:
  LayerFinder(const Graph& graph, const TransformerView& view)
      : graph_(graph), view_(view), positions_(graph), shapes_(graph) {
    for (const Norm& norm : view.norms()) {
      norm_outputs_.insert(norm.match.output);
      norm_behind_.emplace(norm.match.input, norm.match.output);
    }
  }

  TransformerLayers find() {
    TransformerLayers found;
    for (const ValueId source : sources_of(graph_, view_)) follow(source, found.layers);
    std::ranges::sort(found.layers, {}, [&](const TransformerLayer& layer) {
      return positions_.at(view_.attentions()[layer.attentions.front()].softmax);
    });
    for (std::size_t i = 0; i < found.layers.size(); ++i) name_layer(found.layers[i], i);
    for (std::size_t i = 0; i < view_.attentions().size(); ++i) {
      if (!placed_.contains(i)) {
        found.unplaced.push_back(label_of(view_.attentions()[i]) +
                                 ": is not in a layer that one value enters and one leaves");
      }
    }
    return found;
  }

 private:
  [[nodiscard]] std::int64_t position_of(const Attention& block) const {
    return positions_.at(block.softmax);
  }

  [[nodiscard]] std::string label_of(const Attention& block) const {
    if (block.output_unit) return view_.units()[*block.output_unit].label;
    return graph_.node(block.softmax).name;
  }

  void follow(ValueId source, std::vector<TransformerLayer>& layers) {
    const Flow flow(graph_, source);
    // The last attention whose result goes on.
    std::optional<std::size_t> last;
    for (std::size_t i = 0; i < view_.attentions().size(); ++i) {
      if (!flow.has(view_.attentions()[i].softmax)) continue;
      if (!last || position_of(view_.attentions()[i]) > position_of(view_.attentions()[*last])) {
        last = i;
      }
    }
    if (!last) return;
    const auto waypoints =
        flow.waypoints(graph_.node(view_.attentions()[*last].softmax).outputs.front(), positions_);
    TransformerLayer open;
    std::size_t first = 0;  // waypoint that enters it
    std::size_t end = 0;    // …and that leaves it
    const auto close = [&] {
      if (!open.feed_forwards.empty()) finish(open, waypoints, first, end, layers);
      open = {};
    };
    for (std::size_t k = 0; k + 1 < waypoints.size(); ++k) {
      const auto attentions = attentions_between(waypoints[k].position, waypoints[k + 1].position);
      const auto feed_forwards =
          feed_forwards_between(waypoints[k].position, waypoints[k + 1].position);
      if (!attentions.empty()) {
        if (!open.feed_forwards.empty()) close();
        if (open.attentions.empty()) first = k;
        open.attentions.insert(open.attentions.end(), attentions.begin(), attentions.end());
      }
      if (open.attentions.empty() || feed_forwards.empty()) continue;
      open.feed_forwards.insert(open.feed_forwards.end(), feed_forwards.begin(),
                                feed_forwards.end());
      end = k + 1;
    }
    close();
  }

  void finish(TransformerLayer& layer, const std::vector<Waypoint>& waypoints, std::size_t first,
              std::size_t end, std::vector<TransformerLayer>& layers) {
    const auto is_norm = [&](std::size_t k) { return norm_outputs_.contains(waypoints[k].value); };
    // In front of the last feed-forward block a norm's output is all that goes on: so it is behind.
    for (std::size_t k = first + 1; k < end; ++k) layer.post_norm |= is_norm(k);
    if (layer.post_norm && !is_norm(end)) {
      const auto norm = norm_behind_.find(waypoints[end].value);
      if (norm == norm_behind_.end()) return;
      const auto last = std::ranges::find(waypoints, norm->second, &Waypoint::value);
      if (last == waypoints.end()) return;
      end = static_cast<std::size_t>(last - waypoints.begin());
    }
    // Some compute the feed-forward block on [tokens, width] and fold tokens back afterwards.
    while (rank(waypoints[end].value) != rank(waypoints[first].value) &&
           end + 1 < waypoints.size() && changes_layout(waypoints[end + 1].value)) {
      ++end;
    }
    const bool taken =
        std::ranges::any_of(layer.attentions, [&](std::size_t a) { return placed_.contains(a); });
    if (taken) return;
    placed_.insert(layer.attentions.begin(), layer.attentions.end());
    layer.entering = waypoints[first].value;
    layer.leaving = waypoints[end].value;
    layers.push_back(std::move(layer));
  }

  [[nodiscard]] std::size_t rank(ValueId value) const {
    const SymbolicShape* shape = shapes_.shape(value);
    return shape == nullptr ? 0 : shape->size();
  }
  [[nodiscard]] bool changes_layout(ValueId value) const {
    const Node* node = graph_.producer(value);
    return node != nullptr && (node->is("Reshape") || node->is("Unsqueeze") ||
                               node->is("Squeeze") || node->is("Identity"));
  }

  template <class Blocks, class Position>
  std::vector<std::size_t> between(const Blocks& blocks, const Position& position,
                                   std::int64_t begin, std::int64_t end) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (position(blocks[i]) > begin && position(blocks[i]) <= end) found.push_back(i);
    }
    return found;
  }
  [[nodiscard]] std::vector<std::size_t> attentions_between(std::int64_t begin,
                                                            std::int64_t end) const {
    const auto position = [&](const Attention& block) { return position_of(block); };
    return between(view_.attentions(), position, begin, end);
  }
  [[nodiscard]] std::vector<std::size_t> feed_forwards_between(std::int64_t begin,
                                                               std::int64_t end) const {
    const auto position = [&](const FeedForward& block) {
      return positions_.at(view_.units()[block.down].product);
    };
    return between(view_.feed_forwards(), position, begin, end);
  }

  void name_layer(TransformerLayer& layer, std::size_t index) const {
    std::vector<std::string> names;
    for (const std::size_t i : layer.attentions) names.push_back(label_of(view_.attentions()[i]));
    for (const std::size_t i : layer.feed_forwards) {
      names.push_back(view_.units()[view_.feed_forwards()[i].down].label);
    }
    layer.label = common_beginning(names);
    if (layer.label.find_first_of("0123456789") == std::string::npos) {
      layer.label = fmt::format("layer {}", index);  // the names do not tell layers apart
    }
  }

  const Graph& graph_;
  const TransformerView& view_;
  Positions positions_;
  SymbolicShapes shapes_;
  std::set<ValueId> norm_outputs_;
  std::map<ValueId, ValueId> norm_behind_;  // by what it normalises
  std::set<std::size_t> placed_;            // attentions that are in a layer
};

}  // namespace

TransformerLayers find_layers(const Graph& graph, const TransformerView& view) {
  return LayerFinder(graph, view).find();
}

}  // namespace onnxpress
