// SPDX-License-Identifier: Apache-2.0
#include "pack/qdq.h"

#include <gtest/gtest.h>

#include "exec/session.h"
#include "pack/matrices.h"
#include "pack/storage.h"

namespace onnxpress {
namespace {

Model model_of(QuantizedMatrix q, std::int64_t opset) {
  Model model;
  model.ir_version = 10;
  model.opsets = {{"", opset}};
  model.graph.add_output(pack_qdq(model.graph, std::move(q), "w"));
  model.graph.sort();
  model.graph.verify();
  return model;
}

std::int64_t constant_bytes(const Graph& graph) {
  std::int64_t sum = 0;
  for (const ValueId id : graph.values()) {
    if (const Tensor* t = graph.constant(id)) sum += static_cast<std::int64_t>(t->bytes().size());
  }
  return sum;
}

TEST(Qdq, ComesBackBitForBitOnEveryGridThatItStores) {
  int stored = 0;
  for (const std::int64_t group : {0, 16, 32}) {
    for (const int bits : {4, 8}) {
      for (const bool symmetric : {true, false}) {
        const Grid grid{bits, group, symmetric};
        ASSERT_FALSE(why_not_storable(Storage::qdq, grid, 21).has_value() && group != 0);
        for (const MatrixLayout layout : test::kLayouts) {
          const QuantizedMatrix q = test::random_matrix(grid, 70, 9, layout);
          const Model model = model_of(q, 21);
          const NodeId node = *model.graph.producer_id(model.graph.outputs()[0]);
          const auto back = unpack_qdq(model.graph, node, layout);
          ASSERT_TRUE(back.has_value()) << to_string(grid);
          EXPECT_EQ(*back, q) << to_string(grid);
          EXPECT_EQ(constant_bytes(model.graph), stored_bytes(Storage::qdq, grid, 70, 9));
          ++stored;
        }
      }
    }
  }
  EXPECT_EQ(stored, 24);
}

TEST(Qdq, GridsOfOddWidthStandForTheSameNumbers) {
  for (const int bits : {2, 3, 5, 6, 7}) {
    const QuantizedMatrix q = test::random_matrix({bits, 0, true}, 33, 5, MatrixLayout::in_out);
    const Model model = model_of(q, 21);
    const auto back = unpack_qdq(model.graph, *model.graph.producer_id(model.graph.outputs()[0]),
                                 MatrixLayout::in_out);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(dequantize(*back), dequantize(q)) << bits;
  }
}

TEST(Qdq, TheExecutorComputesWhatDequantizeSays) {
  for (const bool symmetric : {true, false}) {
    for (const MatrixLayout layout : test::kLayouts) {
      const QuantizedMatrix q = test::random_matrix({8, 0, symmetric}, 40, 11, layout);
      const Model model = model_of(q, 13);
      const TensorMap out = Session(model).run({});
      const auto values = out.begin()->second.as<float>();
      EXPECT_EQ(std::vector<float>(values.begin(), values.end()), dequantize(q));
    }
  }
}

TEST(Qdq, OtherNodesAndOtherAxesAreDeclined) {
  Model model = model_of(test::random_matrix({8, 0, true}, 6, 6, MatrixLayout::in_out), 13);
  Graph& graph = model.graph;
  const NodeId node = *graph.producer_id(graph.outputs()[0]);
  EXPECT_FALSE(
      unpack_qdq(graph, node, MatrixLayout::out_in).has_value());  // scales run the other way
  graph.mutable_node(node).op_type = "QuantizeLinear";
  EXPECT_FALSE(unpack_qdq(graph, node, MatrixLayout::in_out).has_value());
}

}  // namespace
}  // namespace onnxpress
