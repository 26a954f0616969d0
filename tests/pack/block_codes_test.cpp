// SPDX-License-Identifier: Apache-2.0
#include "pack/block_codes.h"

#include <gtest/gtest.h>

#include "base/half.h"
#include "exec/session.h"
#include "numerics/matrix.h"
#include "pack/gather_block_quantized.h"
#include "pack/matmul_nbits.h"
#include "pack/matrices.h"
#include "pack/storage.h"

namespace onnxpress {
namespace {

std::vector<Grid> block_grids(bool two_bits = false) {
  std::vector<Grid> grids;
  for (const int bits : {2, 4, 8}) {
    if (bits == 2 && !two_bits) continue;
    for (const std::int64_t group : {16, 32, 128}) {
      for (const bool symmetric : {true, false}) grids.push_back({bits, group, symmetric});
    }
  }
  return grids;
}

Model empty_model() {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 17}};
  import_contrib_operators(model);
  return model;
}

std::int64_t constant_bytes(const Graph& graph) {
  std::int64_t sum = 0;
  for (const ValueId id : graph.values()) {
    if (const Tensor* t = graph.constant(id)) sum += static_cast<std::int64_t>(t->bytes().size());
  }
  return sum;
}

// y = x · w for the x that is the identity, so that y is w.
Model product_model(const QuantizedMatrix& q) {
  Model model = empty_model();
  Graph& graph = model.graph;
  const ValueId x = graph.add_input("x", DType::float32, to_shape(Dims{q.in, q.in}));
  const NBitsWeight w = pack_matmul_nbits(graph, q, "w");
  const ValueId y = graph.add_value("y", DType::float32);
  n_bits_product(graph, x, w, 0, y, "product");
  graph.add_output(y);
  graph.sort();
  graph.verify();
  return model;
}

Model table_model(const QuantizedMatrix& q, DType scales = DType::float32) {
  Model model = empty_model();
  Graph& graph = model.graph;
  const ValueId ids = graph.add_input("ids", DType::int64, to_shape(Dims{q.out}));
  const BlockTable table = pack_block_table(graph, q, "w", scales);
  const ValueId y = graph.add_value("y", scales);
  gather_rows(graph, table, ids, y, "rows");
  graph.add_output(y);
  graph.sort();
  graph.verify();
  return model;
}

std::vector<float> output_of(const Model& model, const std::string& name, Tensor input) {
  const TensorMap out = Session(model).run({{name, std::move(input)}});
  const auto values = out.begin()->second.as<float>();
  return {values.begin(), values.end()};
}

TEST(MatMulNBits, ComesBackBitForBitAndIsComputedAsDequantizeSays) {
  std::vector<Grid> grids = block_grids(true);
  grids.push_back({4, 32, false, true});
  for (const Grid& grid : grids) {
    for (const MatrixLayout layout : test::kLayouts) {
      const QuantizedMatrix q = test::random_matrix(grid, 70, 9, layout);
      const Model model = product_model(q);
      const auto back =
          unpack_matmul_nbits(model.graph, *model.graph.producer_id(model.graph.outputs()[0]));
      ASSERT_TRUE(back.has_value()) << to_string(grid);
      EXPECT_EQ(with_layout(*back, layout), q) << to_string(grid);
      EXPECT_EQ(constant_bytes(model.graph), stored_bytes(Storage::matmul_nbits, grid, 70, 9));
      std::vector<float> eye(70 * 70);
      for (std::size_t i = 0; i < 70; ++i) eye[i * 71] = 1;
      EXPECT_EQ(output_of(model, "x", Tensor::of<float>({70, 70}, eye)),
                dequantized_matrix(q).values)
          << to_string(grid);
    }
  }
}

TEST(GatherBlockQuantized, ComesBackBitForBitAndIsComputedAsDequantizeSays) {
  for (const Grid& grid : block_grids()) {
    // Full blocks: a row's width is what its codes say.
    const QuantizedMatrix q = test::random_matrix(grid, 256, 7, MatrixLayout::out_in);
    const Model model = table_model(q);
    const auto back =
        unpack_block_table(model.graph, *model.graph.producer_id(model.graph.outputs()[0]));
    ASSERT_TRUE(back.has_value()) << to_string(grid);
    EXPECT_EQ(*back, q) << to_string(grid);
    EXPECT_EQ(constant_bytes(model.graph),
              stored_bytes(Storage::gather_block_quantized, grid, 256, 7));
    const auto ids = Tensor::of<std::int64_t>({7}, {0, 1, 2, 3, 4, 5, 6});
    EXPECT_EQ(output_of(model, "ids", ids), dequantize(q)) << to_string(grid);
  }
}

TEST(GatherBlockQuantized, WholeRowsAndShorterLastBlocksAreStoredWithoutFilling) {
  const auto ids = Tensor::of<std::int64_t>({7}, {0, 1, 2, 3, 4, 5, 6});
  for (const Grid& grid : {Grid{4, 0, false}, Grid{8, 0, true}, Grid{4, 32, false},
                           Grid{4, 256, true}, Grid{8, 16, false}}) {
    const QuantizedMatrix q = test::random_matrix(grid, 70, 7, MatrixLayout::out_in);
    EXPECT_FALSE(why_not_block_table(grid, 70));
    const Model model = table_model(q);
    EXPECT_EQ(constant_bytes(model.graph), block_table_bytes(grid, 70, 7));
    EXPECT_EQ(output_of(model, "ids", ids), dequantize(q)) << to_string(grid);
    auto back = unpack_block_table(model.graph, *model.graph.producer_id(model.graph.outputs()[0]));
    ASSERT_TRUE(back.has_value()) << to_string(grid);
    EXPECT_EQ(back->grid.group, table_block(grid, 70));
    back->grid = grid;
    EXPECT_EQ(*back, q) << to_string(grid);
  }
  EXPECT_EQ(table_block({4, 0, true}, 70), 128);
  EXPECT_EQ(table_block({4, 0, true}, 3), 16);
  EXPECT_TRUE(why_not_block_table({4, 16, true}, 71).has_value());
  EXPECT_FALSE(why_not_block_table({8, 16, true}, 71).has_value());
}

TEST(GatherBlockQuantized, HalfScalesComeBackAndRowsAreRoundedToThem) {
  for (const bool symmetric : {true, false}) {
    const Grid grid{4, 16, symmetric};
    QuantizedMatrix q = test::random_matrix(grid, 64, 5, MatrixLayout::out_in);
    for (float& scale : q.scales) scale = half_to_float(float_to_half(scale));
    const Model model = table_model(q, DType::float16);
    EXPECT_EQ(constant_bytes(model.graph), block_table_bytes(grid, 64, 5, DType::float16));
    EXPECT_EQ(unpack_block_table(model.graph, *model.graph.producer_id(model.graph.outputs()[0])),
              q);
    const TensorMap out =
        Session(model).run({{"ids", Tensor::of<std::int64_t>({5}, {0, 1, 2, 3, 4})}});
    const auto rows = out.begin()->second.as<Half>();
    const auto expected = dequantize(q);
    ASSERT_EQ(rows.size(), expected.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].bits, float_to_half(expected[i]));
    }
  }
}

TEST(BlockCodes, TensorsOfOtherSizesAreDeclined) {
  const QuantizedMatrix q = test::random_matrix({4, 16, false}, 40, 3, MatrixLayout::out_in);
  const BlockTensors t = to_blocks(q);
  EXPECT_TRUE(from_blocks(t.codes, t.scales, &*t.zeros, 4, 16, 40, 3).has_value());
  EXPECT_FALSE(from_blocks(t.codes, t.scales, &*t.zeros, 4, 16, 80, 3).has_value());
  EXPECT_FALSE(from_blocks(t.codes, t.scales, &*t.zeros, 8, 16, 40, 3).has_value());
  EXPECT_FALSE(from_blocks(t.codes, t.scales, &t.codes, 4, 16, 40, 3).has_value());
  EXPECT_FALSE(from_blocks(t.codes, t.scales, &*t.zeros, 4, 0, 40, 3).has_value());
}

TEST(BlockCodes, OnlyGroupsThatTheOperatorsTakeAreStorable) {
  EXPECT_FALSE(why_not_storable(Storage::matmul_nbits, {2, 16, true}, 11));
  EXPECT_TRUE(why_not_storable(Storage::gather_block_quantized, {2, 16, true}, 11));
  for (const Storage storage : {Storage::matmul_nbits, Storage::gather_block_quantized}) {
    for (const Grid& grid : block_grids()) EXPECT_FALSE(why_not_storable(storage, grid, 11));
    for (const Grid& grid :
         {Grid{4, 0, true}, Grid{4, 8, true}, Grid{4, 48, true}, Grid{3, 32, true}}) {
      EXPECT_TRUE(why_not_storable(storage, grid, 21).has_value()) << to_string(grid);
    }
  }
}

TEST(BlockCodes, FloatZeroPointsAreOnlyForProductsOfFourBits) {
  EXPECT_FALSE(why_not_storable(Storage::matmul_nbits, {4, 32, false, true}, 11).has_value());
  EXPECT_TRUE(why_not_storable(Storage::matmul_nbits, {8, 32, false, true}, 21).has_value());
  EXPECT_TRUE(
      why_not_storable(Storage::gather_block_quantized, {4, 32, false, true}, 21).has_value());
  EXPECT_TRUE(why_not_storable(Storage::qdq, {4, 32, false, true}, 21).has_value());
}

}  // namespace
}  // namespace onnxpress
