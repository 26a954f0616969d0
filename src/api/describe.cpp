// SPDX-License-Identifier: Apache-2.0
#include "api/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "model/transformer_view.h"

namespace onnxpress::api {
namespace {

std::vector<TensorInfo> ports(const Graph& graph, std::span<const ValueId> values) {
  std::vector<TensorInfo> infos;
  for (const ValueId id : values) {
    const Value& value = graph.value(id);
    infos.push_back(
        {value.name, name(value.dtype), value.shape ? to_string(*value.shape) : std::string()});
  }
  return infos;
}

std::vector<std::pair<std::string, std::int64_t>> count_operators(const Graph& graph) {
  std::map<std::string, std::int64_t> counts;
  for (const NodeId id : graph.nodes()) {
    const Node& node = graph.node(id);
    ++counts[node.domain.empty() ? node.op_type : node.domain + "." + node.op_type];
  }
  std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, std::ranges::greater{},
                           [](const auto& row) { return row.second; });
  return sorted;
}

std::string_view role_of(UnitRole role) {
  switch (role) {
    case UnitRole::attention_q:
    case UnitRole::attention_k:
    case UnitRole::attention_v:
    case UnitRole::attention_qkv:
    case UnitRole::attention_kv:
    case UnitRole::attention_output:
      return "attention weights";
    case UnitRole::feed_forward_up:
    case UnitRole::feed_forward_gate:
    case UnitRole::feed_forward_gate_up:
    case UnitRole::feed_forward_down:
      return "feed-forward weights";
    case UnitRole::head:
      return "head weights";
    case UnitRole::other:
      return "other linear weights";
  }
  return "other linear weights";
}

// Every constant counts once; what is not weights of units or tables is norms, biases and the like.
void add_bytes(const Graph& graph, const TransformerView& view, ModelDescription& description) {
  const std::vector<std::string_view> order = {"embeddings",           "attention weights",
                                               "feed-forward weights", "head weights",
                                               "other linear weights", "other constants"};
  std::map<std::string_view, BytesByRole> roles;
  std::set<ValueId> counted;
  const auto count = [&](std::string_view role, ValueId id) {
    const Tensor* tensor = id == kNoValue ? nullptr : graph.constant(id);
    if (tensor == nullptr || !counted.insert(id).second) return;
    ++roles[role].tensors;
    roles[role].bytes += static_cast<std::int64_t>(tensor->bytes().size());
    if (is_float(tensor->dtype()) || tensor->rank() > 1) description.parameters += tensor->size();
  };
  for (const Embedding& embedding : view.embeddings()) count("embeddings", embedding.table);
  for (const LinearUnit& unit : view.units()) count(role_of(unit.role), unit.weight);
  for (const ValueId id : graph.values()) count("other constants", id);
  std::int64_t in_tensors = 0;
  for (const std::string_view role : order) {
    if (!roles.contains(role)) continue;
    description.bytes_by_role.push_back(roles[role]);
    description.bytes_by_role.back().role = role;
    in_tensors += roles[role].bytes;
  }
  description.external_bytes = std::max<std::int64_t>(0, in_tensors - description.bytes);
  if (description.external_bytes == 0) {
    description.bytes_by_role.push_back({"graph structure", 0, description.bytes - in_tensors});
  }
}

void add_structure(const TransformerView& view, ModelDescription& description) {
  const auto put = [&](const char* what, std::size_t count) {
    if (count > 0) description.structure.emplace_back(what, static_cast<std::int64_t>(count));
  };
  put("linear units", view.units().size());
  put("compressible units",
      static_cast<std::size_t>(std::ranges::count_if(
          view.units(), [](const LinearUnit& unit) { return unit.compressible(); })));
  put("attention blocks", view.attentions().size());
  if (!view.attentions().empty()) {
    const Attention& first = view.attentions().front();
    put("attention heads", static_cast<std::size_t>(first.heads));
    put("key/value heads", static_cast<std::size_t>(first.kv_heads));
  }
  put("feed-forward pairs", view.feed_forwards().size());
  put("norms", view.norms().size());
  put("embeddings", view.embeddings().size());
  if (view.word_embedding() != nullptr) {
    put("vocabulary", static_cast<std::size_t>(view.word_embedding()->rows));
    put("head tied to the embedding", view.head_tied_to_embedding() ? 1 : 0);
  }
}

std::vector<std::string> sentences(const std::vector<Refusal>& refusals) {
  std::vector<std::string> texts;
  texts.reserve(refusals.size());
  for (const Refusal& refusal : refusals) texts.push_back(refusal.text);
  return texts;
}

void add_products(const TransformerView& view, ModelDescription& description) {
  for (const ProductRow& row : view.products()) {
    ExplainedUnit unit{row.label, row.op_type, {}, row.why_not.empty(), sentences(row.why_not)};
    if (row.unit) {
      const LinearUnit& linear = view.units()[*row.unit];
      unit.role = name(linear.role);
      unit.shape = fmt::format("{} x {}", linear.in, linear.out);
    }
    description.units.push_back(std::move(unit));
  }
  for (const Embedding& embedding : view.embeddings()) {
    description.units.push_back({embedding.label, fmt::format("embedding.{}", name(embedding.kind)),
                                 fmt::format("{} x {}", embedding.rows, embedding.width),
                                 embedding.compressible(), sentences(embedding.why_not)});
  }
}

}  // namespace

ModelDescription describe(const OpenedModel& opened, bool explain) {
  const Model& model = opened.model;
  ModelDescription description;
  description.path = opened.path.string();
  description.sha256 = opened.file.sha256;
  description.bytes = opened.file.bytes;
  description.ir_version = model.ir_version;
  for (const OpsetImport& opset : model.opsets) {
    description.opsets.emplace_back(opset.domain, opset.version);
  }
  description.producer = model.producer_name;
  if (!model.producer_version.empty()) description.producer += " " + model.producer_version;
  description.inputs = ports(model.graph, model.graph.inputs());
  description.outputs = ports(model.graph, model.graph.outputs());
  description.nodes = static_cast<std::int64_t>(model.graph.nodes().size());
  description.operators = count_operators(model.graph);
  const TransformerView view = TransformerView::of(model);
  add_bytes(model.graph, view, description);
  add_structure(view, description);
  if (explain) add_products(view, description);
  return description;
}

}  // namespace onnxpress::api
