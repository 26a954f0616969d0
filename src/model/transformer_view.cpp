// SPDX-License-Identifier: Apache-2.0
#include "model/transformer_view.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/attention.h"
#include "model/embeddings.h"
#include "model/feed_forward.h"
#include "model/graph_walk.h"
#include "model/labels.h"
#include "model/linear_units.h"
#include "model/view_index.h"

namespace onnxpress {
namespace {

constexpr int kMaxSteps = 32;
constexpr std::int64_t kFewestWords = 16;  // of a vocabulary

void set_role(std::vector<LinearUnit>& units, std::optional<UnitIndex> unit, UnitRole role) {
  if (unit && units[*unit].role == UnitRole::other) units[*unit].role = role;
}

void set_attention_roles(std::vector<LinearUnit>& units, const Attention& block) {
  if (block.packing == QkvPacking::packed) {
    set_role(units, block.q_unit, UnitRole::attention_qkv);
  } else if (block.packing == QkvPacking::partly) {
    const bool q_alone = block.k_unit == block.v_unit;
    const bool v_alone = block.q_unit == block.k_unit;
    set_role(units, block.q_unit, q_alone ? UnitRole::attention_q : UnitRole::attention_kv);
    set_role(units, block.k_unit,
             q_alone || v_alone ? UnitRole::attention_kv : UnitRole::attention_k);
    set_role(units, block.v_unit, v_alone ? UnitRole::attention_v : UnitRole::attention_kv);
  } else {
    set_role(units, block.q_unit, UnitRole::attention_q);
    set_role(units, block.k_unit, UnitRole::attention_k);
    set_role(units, block.v_unit, UnitRole::attention_v);
  }
  set_role(units, block.output_unit, UnitRole::attention_output);
}

void set_feed_forward_roles(std::vector<LinearUnit>& units, const FeedForward& pair) {
  if (pair.gate == pair.up) {
    set_role(units, pair.up, UnitRole::feed_forward_gate_up);
  } else {
    set_role(units, pair.up, UnitRole::feed_forward_up);
    set_role(units, pair.gate, UnitRole::feed_forward_gate);
  }
  set_role(units, pair.down, UnitRole::feed_forward_down);
}

// The unit whose result is the graph output, but for what moves, scales, caps or normalises it.
std::optional<UnitIndex> unit_of_output(const ViewIndex& index, ValueId output) {
  const Graph& graph = index.graph();
  for (int step = 0; step < kMaxSteps && output != kNoValue; ++step) {
    if (const auto unit = index.unit_of(output)) return unit;
    const Node* node = graph.producer(output);
    if (node == nullptr || node->inputs.empty()) return std::nullopt;
    const bool squashes =
        node->is("Tanh") || node->is("Softmax") || node->is("LogSoftmax") || node->is("Sigmoid");
    output = squashes ? node->inputs[0] : transparent_input(graph, *node);
  }
  return std::nullopt;
}

// Says of a product that has no constant operand what it computes, where an attention block knows.
void name_computed(std::vector<ProductRow>& rows, const std::vector<Attention>& blocks) {
  std::unordered_map<std::int32_t, const char*> what;
  for (const Attention& block : blocks) {
    if (block.scores) what[static_cast<std::int32_t>(*block.scores)] = "attention scores";
    if (block.context) what[static_cast<std::int32_t>(*block.context)] = "attention context";
  }
  for (ProductRow& row : rows) {
    if (!row.node || row.unit || row.why_not.empty()) continue;
    const auto found = what.find(static_cast<std::int32_t>(*row.node));
    if (found == what.end() || row.why_not[0].kind != RefusalKind::computed) continue;
    row.why_not[0].text += std::string(": ") + found->second;
  }
}

}  // namespace

TransformerView TransformerView::of(const Graph& graph) {
  TransformerView view;
  Labels labels(graph);
  const SymbolicShapes shapes(graph);
  LinearUnits linear = find_linear_units(graph, shapes, labels);
  view.units_ = std::move(linear.units);
  view.products_ = std::move(linear.products);
  view.embeddings_ = find_embeddings(graph, labels);
  std::vector<patterns::NormMatch> norms;
  std::vector<patterns::ActivationMatch> activations;
  for (const NodeId id : graph.nodes()) {
    for (auto& norm : patterns::match_norms(graph, id)) norms.push_back(std::move(norm));
    if (auto act = patterns::match_activation(graph, id)) activations.push_back(std::move(*act));
  }
  const ViewIndex index(graph, shapes, view.units_, norms, activations);
  view.attentions_ = find_attentions(index);
  view.feed_forwards_ = find_feed_forwards(index);
  std::vector<std::optional<UnitIndex>> heads;
  for (const ValueId output : graph.outputs()) heads.push_back(unit_of_output(index, output));

  for (const Attention& block : view.attentions_) set_attention_roles(view.units_, block);
  for (const FeedForward& pair : view.feed_forwards_) set_feed_forward_roles(view.units_, pair);
  for (const auto& head : heads) set_role(view.units_, head, UnitRole::head);
  name_computed(view.products_, view.attentions_);
  for (patterns::NormMatch& norm : norms) {
    std::string label = labels.of_node(graph.node(norm.nodes.back()));
    view.norms_.push_back({std::move(norm), std::move(label)});
  }
  for (UnitIndex i = 0; i < view.units_.size(); ++i) {
    view.unit_by_product_.emplace(static_cast<std::int32_t>(view.units_[i].product), i);
  }
  view.choose_word_embedding(graph);
  return view;
}

// Of the tables that are indexed by data: the one whose contents the head has, else the one with as
// many rows as a head has outputs (but a classifier of two classes says nothing of token types),
// else the one with most rows.
void TransformerView::choose_word_embedding(const Graph& graph) {
  Embedding* word = nullptr;
  int best_rank = 0;
  for (Embedding& table : embeddings_) {
    if (table.kind != EmbeddingKind::input) continue;
    int rank = 1;
    std::optional<UnitIndex> head;
    for (UnitIndex i = 0; i < units_.size(); ++i) {
      const LinearUnit& unit = units_[i];
      if (unit.role != UnitRole::head || unit.out != table.rows) continue;
      if (table.rows < kFewestWords) continue;
      rank = std::max(rank, 2);
      if (unit.in != table.width) continue;
      const bool tied = equals_table(graph, unit, table);
      rank = std::max(rank, tied ? 4 : 3);
      if (!head || tied) head = i;
      table.tied_with_head = table.tied_with_head || tied;
    }
    const bool better =
        word == nullptr || rank > best_rank || (rank == best_rank && table.rows > word->rows);
    if (!better) continue;
    word = &table;
    best_rank = rank;
    output_head_ = head;
  }
  if (word == nullptr) return;
  word->kind = EmbeddingKind::word;
  tied_ = word->tied_with_head;
}

std::optional<UnitIndex> TransformerView::unit_of(NodeId product) const {
  const auto found = unit_by_product_.find(static_cast<std::int32_t>(product));
  if (found == unit_by_product_.end()) return std::nullopt;
  return found->second;
}

const Embedding* TransformerView::word_embedding() const {
  for (const Embedding& table : embeddings_) {
    if (table.kind == EmbeddingKind::word) return &table;
  }
  return nullptr;
}

std::string_view name(QkvPacking packing) {
  switch (packing) {
    case QkvPacking::separate:
      return "separate";
    case QkvPacking::packed:
      return "packed";
    case QkvPacking::partly:
      return "partly";
    case QkvPacking::not_by_unit:
      break;
  }
  return "not_by_unit";
}

std::string_view name(EmbeddingKind kind) {
  switch (kind) {
    case EmbeddingKind::word:
      return "word";
    case EmbeddingKind::input:
      return "input";
    case EmbeddingKind::position:
      break;
  }
  return "position";
}

}  // namespace onnxpress
