// SPDX-License-Identifier: Apache-2.0
// No rule may rest on a name: a model whose nodes and values are called n1, n2, … has the same
// view.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "io/reader.h"
#include "model/transformer_view.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

// The same graph, node by node, with other names and without notes of the exporter.
Graph renamed(const Graph& from) {
  Graph to;
  std::vector<ValueId> to_new(from.value_capacity(), kNoValue);
  int count = 0;
  const auto next_name = [&] { return fmt::format("n{}", ++count); };
  const auto map = [&](ValueId old) {
    return old == kNoValue ? kNoValue : to_new[static_cast<std::size_t>(old)];
  };
  for (const ValueId id : from.values()) {
    const Value& value = from.value(id);
    ValueId& made = to_new[static_cast<std::size_t>(id)];
    if (value.is_input) {
      made = to.add_input(next_name(), value.dtype, value.shape);
    } else if (value.constant && !value.producer) {
      made = to.add_constant(next_name(), *value.constant);
    } else {
      made = to.add_value(next_name(), value.dtype, value.shape);
    }
  }
  for (const NodeId id : from.nodes()) {
    const Node& old = from.node(id);
    Node node;
    node.name = next_name();
    node.op_type = old.op_type;
    node.domain = old.domain;
    node.attributes = old.attributes;
    for (const ValueId input : old.inputs) node.inputs.push_back(map(input));
    for (const ValueId output : old.outputs) node.outputs.push_back(map(output));
    to.add_node(std::move(node));
  }
  for (const ValueId id : from.outputs()) to.add_output(map(id));
  to.verify();
  return to;
}

// All that the view says, but for names and ids.
std::vector<std::string> summary(const TransformerView& view) {
  std::vector<std::string> lines;
  const auto index = [](const std::optional<UnitIndex>& unit) {
    return unit ? static_cast<int>(*unit) : -1;
  };
  for (const LinearUnit& u : view.units()) {
    lines.push_back(fmt::format("unit {} {}x{} {} {} {} {}", name(u.role), u.in, u.out,
                                static_cast<int>(u.layout), u.bias.has_value(), u.why_not.size(),
                                u.weight_shared));
  }
  for (const Attention& a : view.attentions()) {
    lines.push_back(fmt::format("attention {} {} {} {}: {}/{}x{} {} {} {}", index(a.q_unit),
                                index(a.k_unit), index(a.v_unit), index(a.output_unit), a.heads,
                                a.kv_heads, a.head_dim, a.rotary, a.biased, a.scale.value_or(-1)));
  }
  for (const FeedForward& f : view.feed_forwards()) {
    lines.push_back(fmt::format("feed-forward {} {} {} {}", index(f.up), index(f.gate),
                                index(f.down), patterns::name(f.kind)));
  }
  for (const Norm& n : view.norms()) {
    lines.push_back(fmt::format("norm {} {} {} {}", static_cast<int>(n.match.kind),
                                n.match.nodes.size(), n.match.gain != kNoValue,
                                n.match.shift != kNoValue));
  }
  for (const Embedding& e : view.embeddings()) {
    lines.push_back(
        fmt::format("embedding {} {}x{} {}", name(e.kind), e.rows, e.width, e.tied_with_head));
  }
  lines.push_back(
      fmt::format("head {} {}", index(view.output_head()), view.head_tied_to_embedding()));
  for (const ProductRow& row : view.products()) {
    lines.push_back(fmt::format("{} {} {}", row.op_type, index(row.unit), row.why_not.size()));
  }
  return lines;
}

TEST(Renaming, ChangesNothing) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  std::size_t models = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(shared / "models")) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path());
    const Model model = read_model(entry.path());
    const auto before = summary(TransformerView::of(model));
    EXPECT_EQ(summary(TransformerView::of(renamed(model.graph))), before);
    EXPECT_GT(before.size(), 20U);
    ++models;
  }
  EXPECT_EQ(models, 33U);
}

}  // namespace
}  // namespace onnxpress
