// SPDX-License-Identifier: Apache-2.0
// Graphs that no exporter writes: the view may find less in them, but must come to an end.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <random>

#include "io/reader.h"
#include "model/builder.h"
#include "model/transformer_view.h"
#include "onnxpress/error.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

using test::Builder;

// Breaks one thing: an input of a node is left out or is another value, or a node gets the name of
// another operator, or loses an attribute.
void break_something(Graph& graph, std::mt19937& random) {
  const auto nodes = graph.nodes();
  const NodeId id = nodes[random() % nodes.size()];
  Node& node = graph.mutable_node(id);
  switch (random() % 4) {
    case 0:
      if (!node.inputs.empty()) graph.set_input(id, random() % node.inputs.size(), kNoValue);
      break;
    case 1: {  // a value that stands before the node, so that there is no cycle
      std::vector<ValueId> earlier(graph.inputs().begin(), graph.inputs().end());
      for (const NodeId before : nodes) {
        if (before == id) break;
        for (const ValueId value : graph.node(before).outputs) earlier.push_back(value);
      }
      if (node.inputs.empty()) break;
      graph.set_input(id, random() % node.inputs.size(), earlier[random() % earlier.size()]);
      break;
    }
    case 2:
      node.op_type = graph.node(nodes[random() % nodes.size()]).op_type;
      break;
    default:
      if (!node.attributes.all().empty()) node.attributes.all().pop_back();
  }
}

TEST(BrokenGraphs, DoNoHarm) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  std::mt19937 random(7);
  std::size_t views = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared / "models" / "zoo")) {
    if (entry.path().extension() != ".onnx") continue;
    const Model model = read_model(entry.path());
    for (int round = 0; round < 40; ++round) {
      Graph graph = model.graph;
      for (int i = 0; i < 1 + round; ++i) break_something(graph, random);
      try {
        const auto view = TransformerView::of(graph);
        EXPECT_LE(view.units().size(), view.products().size());
        ++views;
      } catch (const Error& error) {  // an attribute of another type
        EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      }
    }
  }
  EXPECT_GT(views, 1000U);
}

double seconds_of_view(const Graph& graph) {
  const auto start = std::chrono::steady_clock::now();
  const auto view = TransformerView::of(graph);
  EXPECT_GT(view.products().size() + graph.nodes().size(), 0U);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(BrokenGraphs, TakeTimeInProportionToTheirSize) {
  // Layers that all read one value, which has thousands of readers, and sums that double at each
  // step.
  const auto build = [](int layers) {
    Builder b;
    const ValueId x = b.state(64);
    const ValueId w = b.tensor({64, 64});
    ValueId sum = x;
    for (int i = 0; i < layers; ++i) {
      const auto name = [&](const char* what) { return fmt::format("{}{}", what, i); };
      sum = b.graph.add("Add", {sum, sum}, {}, name("s"));
      const ValueId a = b.graph.add("Tanh", {sum}, {}, name("t"));
      const ValueId p =
          b.graph.add("Softmax", {b.graph.add("MatMul", {x, sum}, {}, name("m"))}, {}, name("p"));
      const ValueId c = b.graph.add("MatMul", {p, x}, {}, name("c"));
      const ValueId y =
          b.graph.add("Mul", {b.graph.add("MatMul", {c, w}, {}, name("y")), x}, {}, name("z"));
      b.graph.add("Mul", {a, b.graph.add("Add", {y, x}, {}, name("r"))}, {}, name("o"));
    }
    b.graph.sort();
    return b.graph;
  };
  const double small = seconds_of_view(build(500));
  const double large = seconds_of_view(build(5000));
  EXPECT_LT(large, 40 * small + 0.05) << small << " s and " << large << " s";
}

}  // namespace
}  // namespace onnxpress
