// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/prunable_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "passes/pruning/apply_cut.h"
#include "passes/pruning/concrete_sizes.h"
#include "passes/pruning/cut_spread.h"

namespace onnxpress {
namespace {

// The input of the product that is not its weight; its last axis has the layer's channels.
ValueId read_value(const Graph& graph, const PrunableReader& reader) {
  const Node& node = graph.node(reader.product);
  const ValueId left = node.input(0);
  return stored_value(graph, left) == reader.weight ? node.input(1) : left;
}

// The cut of what a reader reads, without these units.
AxisCut cut_without(const PrunableLayer& layer, std::size_t axis, const std::vector<bool>& gone) {
  AxisCut cut{axis, {}};
  for (const bool unit : gone) {
    cut.removed.insert(cut.removed.end(), static_cast<std::size_t>(layer.rows_per_unit), unit);
  }
  return cut;
}

CutSpread spread_of(const Graph& graph, const SymbolicShapes& shapes, const PrunableLayer& layer,
                    const std::vector<bool>& gone) {
  const ValueId value = read_value(graph, layer.readers.front());
  const SymbolicShape* shape = shapes.shape(value);
  if (shape == nullptr || shape->empty()) {
    CutSpread unknown;
    const Node* producer = graph.producer(value);
    unknown.why_not = fmt::format("the shape of \"{}\" is not known{}", graph.value(value).name,
                                  producer == nullptr ? "" : ", made by " + describe(*producer));
    return unknown;
  }
  return spread_cut(graph, shapes, value, cut_without(layer, shape->size() - 1, gone));
}

LayerCut cut_with(Graph& graph, const SymbolicShapes& shapes, const PrunableLayer& layer,
                  std::span<const std::int64_t> kept, bool sizes_only) {
  LayerCut result;
  result.why_not = layer.why_not;
  if (!layer.possible()) return result;
  std::vector<bool> gone(static_cast<std::size_t>(layer.units), true);
  for (const std::int64_t unit : kept) gone.at(static_cast<std::size_t>(unit)) = false;
  const CutSpread spread = spread_of(graph, shapes, layer, gone);
  result.why_not = spread.why_not;
  if (!result.done()) return result;
  // Exactly the layer's own readers, all of them the same units.
  const AxisCut expected = cut_without(layer, 0, gone);
  bool same = spread.readers.size() == layer.readers.size();
  for (const auto& [product, cut] : spread.readers) {
    same =
        same && cut.removed == expected.removed &&
        std::ranges::find(layer.readers, product, &PrunableReader::product) != layer.readers.end();
  }
  if (!same) {
    result.why_not = "other blocks would lose other units";
    return result;
  }
  result.why_not = apply_cut(graph, shapes, spread, sizes_only);
  if (result.done()) result.rows.assign(layer.readers.size(), expected.kept());
  return result;
}

class Finder {
 public:
  Finder(const Graph& graph, const TransformerView& view, PrunableKind kind)
      : graph_(graph), view_(view), kind_(kind), shapes_(graph, concrete_sizes(graph)) {}

  std::vector<PrunableLayer> run() {
    if (kind_ == PrunableKind::heads) {
      for (const Attention& block : view_.attentions()) add_heads(block);
    } else {
      for (const FeedForward& block : view_.feed_forwards()) add_neurons(block);
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      for (const PrunableReader& reader : layers_[i].readers) layer_of_[reader.product] = i;
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) join_partners(i);
    std::erase_if(layers_, [](const PrunableLayer& layer) { return layer.readers.empty(); });
    for (PrunableLayer& layer : layers_) try_cut(layer);
    return std::move(layers_);
  }

 private:
  void add_heads(const Attention& block) {
    PrunableLayer layer;
    layer.kind = kind_;
    if (!block.output_unit) {
      const Node& node = graph_.node(block.softmax);
      layer.readers.push_back({node.name, block.softmax});
      layer.why_not = "no product with a stored weight reads what its heads compute";
      layer.quantized = std::ranges::any_of(view_.products(), [](const ProductRow& row) {
        return !row.why_not.empty() && row.why_not[0].kind == RefusalKind::already_quantized;
      });
      if (layer.quantized) layer.why_not = "it is quantized already: prune before quantizing";
      layers_.push_back(std::move(layer));
      return;
    }
    add_reader(layer, *block.output_unit, std::nullopt);
    const std::int64_t rows = layer.readers[0].rows;
    const std::int64_t kv_heads = block.kv_heads > 1 ? block.kv_heads : block.heads;
    if (block.heads < 1 || rows % block.heads != 0) {
      refuse(layer, fmt::format("{} inputs of the output projection do not divide into {} heads",
                                rows, block.heads));
    } else if (block.heads % kv_heads != 0) {
      refuse(layer,
             fmt::format("{} heads do not divide into {} key/value heads", block.heads, kv_heads));
    } else {
      layer.units = kv_heads;
      layer.parts_per_unit = block.heads / kv_heads;
      layer.rows_per_unit = rows / kv_heads;
    }
    layers_.push_back(std::move(layer));
  }

  void add_neurons(const FeedForward& block) {
    PrunableLayer layer;
    layer.kind = kind_;
    std::optional<UnitIndex> up = block.up;
    if (view_.units()[block.up].out != block.hidden) up = std::nullopt;
    add_reader(layer, block.down, up);
    layer.units = layer.readers[0].rows;
    layers_.push_back(std::move(layer));
  }

  void add_reader(PrunableLayer& layer, UnitIndex index, std::optional<UnitIndex> up) {
    const LinearUnit& unit = view_.units()[index];
    layer.readers.push_back({unit.label, unit.product, unit.weight, unit.layout, unit.in, up});
    for (const Refusal& refusal : unit.why_not) {
      const bool harmless =
          refusal.kind == RefusalKind::tiny || refusal.kind == RefusalKind::scaled;
      if (harmless) continue;
      layer.quantized = refusal.kind == RefusalKind::already_quantized;
      refuse(layer, layer.quantized ? refusal.text + ": prune before quantizing" : refusal.text);
    }
  }

  static void refuse(PrunableLayer& layer, const std::string& why) {
    if (layer.why_not.empty()) layer.why_not = why;
  }

  // Blocks that lose units together become one layer. Which they are is seen from the first unit.
  void join_partners(std::size_t index) {
    if (layers_[index].readers.empty() || !layers_[index].possible()) return;
    if (layers_[index].units < 2) {
      refuse(layers_[index], fmt::format("it has {} and must keep one",
                                         kind_ == PrunableKind::heads ? "one head" : "one neuron"));
      return;
    }
    std::vector<bool> gone(static_cast<std::size_t>(layers_[index].units));
    gone[0] = true;
    const CutSpread spread = spread_of(graph_, shapes_, layers_[index], gone);
    if (!spread.possible()) {
      layers_[index].quantized = spread.quantized;
      refuse(layers_[index], spread.why_not);
      return;
    }
    for (const auto& [product, cut] : spread.readers) {
      const auto found = layer_of_.find(product);
      if (found == layer_of_.end()) {
        refuse(layers_[index],
               fmt::format("{} adds up the same units and is no part of such a block",
                           describe(graph_.node(product))));
        return;
      }
      if (found->second == index) continue;
      PrunableLayer& other = layers_[found->second];
      PrunableLayer& layer = layers_[index];
      if (other.readers.empty()) continue;
      if (!other.possible() || other.units != layer.units ||
          other.rows_per_unit != layer.rows_per_unit) {
        refuse(layer,
               fmt::format("it shares weights with {}, which can't be cut the same way{}",
                           other.label(), other.possible() ? "" : " (" + other.why_not + ")"));
        return;
      }
      for (PrunableReader& reader : other.readers) {
        layer_of_[reader.product] = index;
        layer.readers.push_back(std::move(reader));
      }
      other.readers.clear();
    }
  }

  // Sizes that are computed in other ways are only seen to be right when it is done.
  void try_cut(PrunableLayer& layer) {
    if (!layer.possible()) return;
    std::vector<std::int64_t> kept;
    for (std::int64_t unit = 1; unit < layer.units; ++unit) kept.push_back(unit);
    Graph trial = graph_;
    layer.why_not = cut_with(trial, shapes_, layer, kept, true).why_not;
  }

  const Graph& graph_;
  const TransformerView& view_;
  PrunableKind kind_;
  const SymbolicShapes shapes_;
  std::vector<PrunableLayer> layers_;
  std::map<NodeId, std::size_t> layer_of_;
};

}  // namespace

std::string_view name(PrunableKind kind) {
  return kind == PrunableKind::heads ? "heads" : "neurons";
}

std::vector<PrunableLayer> find_prunable_layers(const Graph& graph, const TransformerView& view,
                                                PrunableKind kind) {
  return Finder(graph, view, kind).run();
}

LayerCut cut_layer(Graph& graph, const PrunableLayer& layer, std::span<const std::int64_t> kept,
                   bool sizes_only) {
  const SymbolicShapes shapes(graph, concrete_sizes(graph));
  return cut_with(graph, shapes, layer, kept, sizes_only);
}

}  // namespace onnxpress
