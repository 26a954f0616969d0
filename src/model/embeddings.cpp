// SPDX-License-Identifier: Apache-2.0
#include "model/embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "ir/patterns/constants.h"
#include "model/graph_walk.h"

namespace onnxpress {
namespace {

constexpr int kMaxSteps = 16;
constexpr std::int64_t kTinyElements = 1024;

struct Table {
  ValueId value = kNoValue;
  std::vector<NodeId> path;
  bool dequantized = false;
};

std::optional<Table> table_behind(const Graph& graph, ValueId value) {
  Table table;
  table.value = value;
  for (int step = 0; step < kMaxSteps; ++step) {
    if (graph.constant(table.value) != nullptr) return table;
    const auto id = graph.producer_id(table.value);
    if (!id) return std::nullopt;
    const Node& node = graph.node(*id);
    if (!node.is("Identity") && !node.is("Cast") && node.op_type != "DequantizeLinear") {
      return std::nullopt;
    }
    table.dequantized = table.dequantized || node.op_type == "DequantizeLinear";
    if (node.inputs.empty() || node.inputs[0] == kNoValue) return std::nullopt;
    table.path.push_back(*id);
    table.value = node.inputs[0];
  }
  return std::nullopt;
}

// Whether the ids are the data of a graph input, moved but not computed with.
bool are_input_data(const Graph& graph, ValueId ids) {
  for (int step = 0; step < kMaxSteps && ids != kNoValue; ++step) {
    const Value& value = graph.value(ids);
    if (value.is_input) return true;
    if (!value.producer) return false;
    const Node& node = graph.node(*value.producer);
    if (node.is("Clip") || node.is("Max") || node.is("Min")) {  // ids kept within the table
      ids = node.input(0);
    } else if (node.is("Where")) {  // padding replaced
      const ValueId yes = node.input(1);
      ids = is_constant_like(graph, yes) ? node.input(2) : yes;
    } else {
      ids = only_moves(graph, node) ? node.inputs[0] : kNoValue;
    }
  }
  return false;
}

bool is_packed_integer(DType type) {
  return is_integer(type) && type != DType::int32 && type != DType::int64;
}

class Finder {
 public:
  Finder(const Graph& graph, Labels& labels) : graph_(graph), labels_(labels) {}

  std::vector<Embedding> run() {
    for (const NodeId id : graph_.nodes()) {
      const Node& node = graph_.node(id);
      if (node.op_type == "EmbedLayerNormalization") add_fused(id, node);
      const bool gathers_blocks = node.op_type == "GatherBlockQuantized";
      if (node.inputs.size() < 2 || (!node.is("Gather") && !gathers_blocks)) continue;
      if (node.attributes.get_int(gathers_blocks ? "gather_axis" : "axis", 0) != 0) continue;
      add(id, node, node.inputs[0], node.inputs[1]);
    }
    return std::move(found_);
  }

 private:
  // Tables of words, positions and token types inside one operator of ONNX Runtime.
  void add_fused(NodeId id, const Node& node) {
    constexpr std::array<std::pair<std::size_t, std::size_t>, 3> kTablesAndIds = {
        {{2, 0}, {3, 7}, {4, 1}}};
    for (const auto& [table, ids] : kTablesAndIds) {
      const std::size_t before = found_.size();
      if (node.input(table) != kNoValue) add(id, node, node.input(table), node.input(ids));
      if (found_.size() == before) continue;
      if (table == 3) found_.back().kind = EmbeddingKind::position;
      found_.back().why_not.push_back(
          {RefusalKind::fused, "its rows are gathered inside EmbedLayerNormalization"});
    }
  }

  void add(NodeId id, const Node& node, ValueId from, ValueId ids) {
    const auto table = table_behind(graph_, from);
    if (!table) return;
    const Tensor& tensor = *graph_.value(table->value).constant;
    const bool quantized = is_packed_integer(tensor.dtype());
    if (tensor.rank() != 2 || (!is_float(tensor.dtype()) && !quantized)) return;
    if (tensor.dims()[0] < 2 || tensor.dims()[1] < 2) return;
    const bool by_input = are_input_data(graph_, ids);
    const auto [at, added] =
        by_table_.try_emplace(static_cast<std::int32_t>(table->value), found_.size());
    if (!added) {
      Embedding& known = found_[at->second];
      known.gathers.push_back(id);
      if (by_input) known.kind = EmbeddingKind::input;
      return;
    }
    Embedding embedding;
    embedding.table = table->value;
    embedding.table_path = table->path;
    embedding.gathers = {id};
    embedding.rows = tensor.dims()[0];
    embedding.width = tensor.dims()[1];
    embedding.bytes = static_cast<std::int64_t>(tensor.bytes().size());
    embedding.kind = by_input ? EmbeddingKind::input : EmbeddingKind::position;
    embedding.label = labels_.of_table(node, table->value);
    if (quantized || table->dequantized) {
      embedding.why_not.push_back(
          {RefusalKind::already_quantized,
           fmt::format("its table is already stored as {}", name(tensor.dtype()))});
    } else if (tensor.size() < kTinyElements) {
      embedding.why_not.push_back(
          {RefusalKind::tiny,
           fmt::format("its table {} is too small to gain anything", to_string(tensor.dims()))});
    }
    if (graph_.value(table->value).is_output) {
      embedding.why_not.push_back(
          {RefusalKind::used_elsewhere, "its table is an output of the graph"});
    }
    found_.push_back(std::move(embedding));
  }

  const Graph& graph_;
  Labels& labels_;
  std::vector<Embedding> found_;
  std::unordered_map<std::int32_t, std::size_t> by_table_;
};

// Whether b, which is [columns, rows], is the transpose of a, which is [rows, columns].
bool is_transpose(std::span<const std::byte> a, std::span<const std::byte> b, std::size_t rows,
                  std::size_t columns, std::size_t element) {
  constexpr std::size_t kBlock = 32;
  for (std::size_t r0 = 0; r0 < rows; r0 += kBlock) {
    for (std::size_t c0 = 0; c0 < columns; c0 += kBlock) {
      for (std::size_t r = r0; r < std::min(rows, r0 + kBlock); ++r) {
        for (std::size_t c = c0; c < std::min(columns, c0 + kBlock); ++c) {
          if (std::memcmp(&a[(r * columns + c) * element], &b[(c * rows + r) * element], element) !=
              0) {
            return false;
          }
        }
      }
    }
  }
  return true;
}

}  // namespace

std::vector<Embedding> find_embeddings(const Graph& graph, Labels& labels) {
  return Finder(graph, labels).run();
}

bool equals_table(const Graph& graph, const LinearUnit& head, const Embedding& table) {
  const bool same_way = head.layout == WeightLayout::out_in;
  if (head.weight == table.table) return same_way;
  const Tensor* weight = graph.constant(head.weight);
  const Tensor* rows = graph.constant(table.table);
  if (weight == nullptr || rows == nullptr || weight->dtype() != rows->dtype()) return false;
  if (weight->rank() != 2 || head.out != table.rows || head.in != table.width) return false;
  if (same_way) return *weight == *rows;
  const int size = bits(rows->dtype());
  if (size < 8) return false;
  return is_transpose(rows->bytes(), weight->bytes(), static_cast<std::size_t>(table.rows),
                      static_cast<std::size_t>(table.width), static_cast<std::size_t>(size / 8));
}

}  // namespace onnxpress
