// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"
#include "ir/patterns/activation.h"
#include "ir/patterns/norm.h"
#include "model/linear_unit.h"

namespace onnxpress {

// Units are named by their index in TransformerView::units().
using UnitIndex = std::size_t;

enum class QkvPacking {
  separate,     // three products
  packed,       // one product for q, k and v
  partly,       // one product for two of them
  not_by_unit,  // some of the three do not come from a linear unit
};
[[nodiscard]] std::string_view name(QkvPacking packing);

// softmax(q·kᵀ · scale + bias)·v, then the output projection.
struct Attention {
  NodeId softmax{};               // or the operator that computes all of it
  std::optional<NodeId> scores;   // q·kᵀ; nothing where one operator computes all
  std::optional<NodeId> context;  // probabilities·v
  ValueId q = kNoValue, k = kNoValue, v = kNoValue;  // what these two products read
  std::optional<UnitIndex> q_unit, k_unit, v_unit, output_unit;
  QkvPacking packing = QkvPacking::not_by_unit;
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;  // 0 where not found
  std::int64_t v_head_dim = 0;
  bool rotary = false;          // q is rotated by sines and cosines of the position
  bool biased = false;          // a mask or a position bias is added to the scores
  bool fused = false;           // one operator: Attention, MultiHeadAttention, GroupQueryAttention
  std::optional<double> scale;  // product of the constant factors on q, k and the scores
};

// down(activation(up(x))), or down(activation(gate(x)) · up(x)), that is added to x.
struct FeedForward {
  UnitIndex up = 0, down = 0;
  std::optional<UnitIndex> gate;  // equal to `up` where one product computes both
  NodeId activation{};            // the anchor of the match: see ir/patterns/activation.h
  patterns::ActivationKind kind = patterns::ActivationKind::other;
  std::int64_t hidden = 0;  // width between up and down
};

enum class EmbeddingKind {
  word,      // indexed by the data of a graph input; of several, see word_embedding()
  input,     // the others of that kind: token types
  position,  // indexed by something computed
};
[[nodiscard]] std::string_view name(EmbeddingKind kind);

// A constant table of which rows are gathered.
struct Embedding {
  ValueId table = kNoValue;        // the stored tensor [rows, width]
  std::vector<NodeId> table_path;  // Identity, Cast, … between it and the gathers
  std::vector<NodeId> gathers;
  std::int64_t rows = 0, width = 0, bytes = 0;
  EmbeddingKind kind = EmbeddingKind::position;
  bool tied_with_head = false;
  std::string label;
  std::vector<Refusal> why_not;

  [[nodiscard]] bool compressible() const { return why_not.empty(); }
};

struct Norm {
  patterns::NormMatch match;
  std::string label;
};

// The transformer that a graph computes, found by data flow alone: what feeds a Softmax, what is
// normalised, what is gathered. Names play no part but in labels. The graph is read as it is and
// not changed; the ids in the view stay good until nodes are edited.
//
//   const auto view = TransformerView::of(model.graph);
//   for (const LinearUnit& unit : view.units())
//     if (unit.compressible()) …  graph.constant(unit.weight) …
class TransformerView {
 public:
  [[nodiscard]] static TransformerView of(const Graph& graph);
  [[nodiscard]] static TransformerView of(const Model& model) { return of(model.graph); }

  // All in the order of the graph.
  [[nodiscard]] std::span<const LinearUnit> units() const { return units_; }
  [[nodiscard]] std::span<const Attention> attentions() const { return attentions_; }
  [[nodiscard]] std::span<const FeedForward> feed_forwards() const { return feed_forwards_; }
  [[nodiscard]] std::span<const Norm> norms() const { return norms_; }
  [[nodiscard]] std::span<const Embedding> embeddings() const { return embeddings_; }
  // Every MatMul, Gemm and quantized product, in the order of the graph, those of bodies last.
  [[nodiscard]] std::span<const ProductRow> products() const { return products_; }

  [[nodiscard]] std::optional<UnitIndex> unit_of(NodeId product) const;
  // Of the tables that are indexed by data: the one whose contents the head has, else the one with
  // as many rows as a head has outputs, else the one with most rows. nullptr where there is none.
  [[nodiscard]] const Embedding* word_embedding() const;
  // The unit that computes the output from a state as wide as the word embedding, if one is as
  // large as it (transposed or not).
  [[nodiscard]] std::optional<UnitIndex> output_head() const { return output_head_; }
  // The output head's weight equals the word embedding's table: stored once, or twice with the same
  // contents, transposed or not.
  [[nodiscard]] bool head_tied_to_embedding() const { return tied_; }

 private:
  void choose_word_embedding(const Graph& graph);

  std::vector<LinearUnit> units_;
  std::vector<Attention> attentions_;
  std::vector<FeedForward> feed_forwards_;
  std::vector<Norm> norms_;
  std::vector<Embedding> embeddings_;
  std::vector<ProductRow> products_;
  std::unordered_map<std::int32_t, UnitIndex> unit_by_product_;
  std::optional<UnitIndex> output_head_;
  bool tied_ = false;
};

}  // namespace onnxpress
