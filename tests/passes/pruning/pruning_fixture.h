// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/builder.h"
#include "onnxpress/error.h"
#include "passes/pruning/prunable_layers.h"
#include "passes/run_pass.h"

// Hand-built blocks that are cut, and the property that every cut has.
namespace onnxpress::test {

inline constexpr std::int64_t kSequence = 8;  // as long as the builder's masks and rotary tables

inline Model model_of(Graph graph) {
  Model model;
  model.graph = std::move(graph);
  model.ir_version = 8;
  model.opsets = {{"", 18}, {"com.microsoft", 1}};
  return model;
}

// Two blocks with 4 heads and so many neurons each.
inline Model two_blocks(std::int64_t neurons) {
  Builder b;
  const auto block = [&](ValueId x) {
    const auto part = [&] { return b.split_heads(b.linear(x, 24, 24), 4, 6); };
    const ValueId query = part();
    const ValueId key = part();
    const ValueId context = b.attend(query, key, part(), 0.4F);
    const ValueId state = b.add(x, b.linear(b.join_heads(context, 24), 24, 24));
    return b.feed_forward(state, 24, neurons);
  };
  const ValueId x = b.state(24);
  b.output(block(block(x)));
  return model_of(b.graph);
}

// The code and text of the error that the pass ends with; the model is then as before.
inline std::pair<std::string, std::string> error_of(Model model, std::string_view pass,
                                                    const OptionValues& options) {
  const std::string before = to_text(model.graph);
  try {
    run_pass(model, pass, options);
  } catch (const Error& error) {
    EXPECT_EQ(to_text(model.graph), before);
    return {std::string(error.code()), error.what()};
  }
  return {};
}

// Two sequences for each input of floats.
inline TensorMap states(const Graph& graph) {
  TensorMap inputs;
  std::uint32_t seed = 7;
  for (const ValueId id : graph.inputs()) {
    const Value& value = graph.value(id);
    inputs.emplace(value.name, noise({2, kSequence, value.shape->back().size}, 1, seed++));
  }
  return inputs;
}

inline std::vector<PrunableLayer> layers_of(const Model& model, PrunableKind kind) {
  return find_prunable_layers(model.graph, TransformerView::of(model), kind);
}

// The model with these rows of the readers' weights as they are, and all others zero.
inline Model with_rows(Model model, const PrunableLayer& layer,
                       const std::vector<std::vector<std::int64_t>>& rows) {
  for (std::size_t r = 0; r < layer.readers.size(); ++r) {
    const PrunableReader& reader = layer.readers[r];
    const Tensor& weight = *model.graph.constant(reader.weight);
    const auto numbers = weight.as<float>();
    std::vector<float> values(numbers.begin(), numbers.end());
    const std::set<std::int64_t> kept(rows[r].begin(), rows[r].end());
    const auto columns = weight.dims()[1];
    for (std::int64_t i = 0; i < weight.size(); ++i) {
      const bool in_out = reader.layout == WeightLayout::in_out;
      const std::int64_t row = in_out ? i / columns : i % columns;
      if (!kept.contains(row)) values[static_cast<std::size_t>(i)] = 0;
    }
    model.graph.set_constant(reader.weight, Tensor::of<float>(weight.dims(), std::move(values)));
  }
  return model;
}

// Cuts the layer down to the units `kept`: the result computes what the model computes with the
// readers' other rows set to zero, which is something else than before, and all products that make
// or read the units get smaller.
inline Model expect_cut(const Model& model, const PrunableLayer& layer,
                        std::vector<std::int64_t> kept) {
  Model small = model;
  EXPECT_EQ(layer.why_not, "");
  const LayerCut cut = cut_layer(small.graph, layer, kept);
  EXPECT_EQ(cut.why_not, "");
  if (!cut.done()) return small;
  std::vector<std::int64_t> rows;
  for (const std::int64_t unit : kept) {
    for (std::int64_t i = 0; i < layer.rows_per_unit; ++i) {
      rows.push_back(unit * layer.rows_per_unit + i);
    }
  }
  EXPECT_THAT(cut.rows, testing::Each(rows));
  const TensorMap inputs = states(model.graph);
  const TensorMap zeroed = run_model(with_rows(model, layer, cut.rows), inputs);
  EXPECT_LT(relative_difference(zeroed, run_model(small, inputs)), 1e-5);
  EXPECT_GT(relative_difference(zeroed, run_model(model, inputs)), 1e-3);
  EXPECT_LT(weight_bytes(small.graph), weight_bytes(model.graph));
  return small;
}

// The only layer of the model's kind; each subset of its units can be cut.
inline void expect_prunable(const Graph& graph, PrunableKind kind, std::int64_t units,
                            std::int64_t rows_per_unit, std::size_t blocks = 1) {
  const Model model = model_of(graph);
  const auto layers = layers_of(model, kind);
  ASSERT_EQ(layers.size(), 1U);
  EXPECT_EQ(layers[0].why_not, "");
  EXPECT_EQ(layers[0].units, units);
  EXPECT_EQ(layers[0].rows_per_unit, rows_per_unit);
  EXPECT_EQ(layers[0].readers.size(), blocks);
  std::vector<std::int64_t> all_but_first;
  for (std::int64_t unit = 1; unit < units; ++unit) all_but_first.push_back(unit);
  expect_cut(model, layers[0], all_but_first);
  expect_cut(model, layers[0], {units - 1});
  if (units > 2) expect_cut(model, layers[0], {0, units - 1});
}

// Why the only layer can't be cut; a cut that is tried all the same changes nothing.
inline std::string why_not(const Graph& graph, PrunableKind kind) {
  Model model = model_of(graph);
  const auto layers = layers_of(model, kind);
  if (layers.size() != 1) return std::to_string(layers.size()) + " layers";
  const std::string before = to_text(model.graph);
  const std::vector<std::int64_t> kept = {0};
  EXPECT_EQ(cut_layer(model.graph, layers[0], kept).why_not, layers[0].why_not);
  EXPECT_EQ(to_text(model.graph), before);
  return layers[0].why_not;
}

}  // namespace onnxpress::test
