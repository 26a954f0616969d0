// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/builder.h"
#include "model/transformer_view.h"

namespace onnxpress {
namespace {

using test::Builder;

// x [batch, sequence, 64] by `rows` words, and the same table transposed.
Tensor transposed(const Tensor& tensor) {
  const auto rows = static_cast<std::size_t>(tensor.dims()[0]);
  const auto columns = static_cast<std::size_t>(tensor.dims()[1]);
  const auto values = tensor.as<float>();
  std::vector<float> turned(values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) turned[c * rows + r] = values[r * columns + c];
  }
  return Tensor::of<float>({tensor.dims()[1], tensor.dims()[0]}, std::move(turned));
}

TEST(Embeddings, TellWordsFromTypesAndPositions) {
  Builder b;
  const ValueId words = b.ids();
  const ValueId types = b.ids();
  const ValueId positions =
      b.op("Cast", {b.op("CumSum", {words, b.ints({1})})}, {{"to", std::int64_t{7}}});
  const ValueId sum =
      b.add(b.add(b.embed(types, 2, 64), b.embed(words, 300, 64)), b.embed(positions, 512, 64));
  b.output(b.linear(sum, 64, 2));  // a classifier of as many classes as there are types
  const auto view = TransformerView::of(b.graph);
  ASSERT_EQ(view.embeddings().size(), 3U);
  const Embedding* word = view.word_embedding();
  ASSERT_NE(word, nullptr);
  EXPECT_EQ(word->rows, 300);
  EXPECT_EQ(word->bytes, 300 * 64 * 4);
  EXPECT_TRUE(word->compressible());
  std::size_t positions_found = 0;
  for (const Embedding& table : view.embeddings()) {
    if (table.kind == EmbeddingKind::position) {
      EXPECT_EQ(table.rows, 512);
      ++positions_found;
    }
    if (table.rows == 2) {
      EXPECT_EQ(table.kind, EmbeddingKind::input);
      EXPECT_FALSE(table.compressible());
    }
  }
  EXPECT_EQ(positions_found, 1U);
  EXPECT_FALSE(view.head_tied_to_embedding());
}

TEST(Embeddings, PreferTheTableThatTheHeadGivesBack) {
  // A vocabulary that is smaller than the table of positions, both indexed by inputs.
  Builder b;
  const ValueId sum = b.add(b.embed(b.ids(), 512, 64), b.embed(b.ids(), 40, 64));
  b.output(b.linear(b.layer_norm(sum, 64), 64, 40));
  const auto view = TransformerView::of(b.graph);
  ASSERT_NE(view.word_embedding(), nullptr);
  EXPECT_EQ(view.word_embedding()->rows, 40);
  EXPECT_EQ(view.output_head(), 0U);
  EXPECT_FALSE(view.head_tied_to_embedding());
}

TEST(Embeddings, SeeATiedHeadHoweverItIsStored) {
  for (int form = 0; form < 6; ++form) {
    SCOPED_TRACE(form);
    Builder b;
    const ValueId table = b.tensor({100, 64});
    const ValueId ids = b.op("Reshape", {b.ids(), b.ints({-1, 8})});
    const ValueId x = b.layer_norm(b.op("Gather", {table, ids}), 64);
    const Tensor& stored = *b.graph.constant(table);
    std::vector<float> other(stored.as<float>().begin(), stored.as<float>().end());
    other.back() += 1;
    ValueId y{};
    switch (form) {
      case 0:  // one tensor, turned on the way
        y = b.matmul(x, b.transpose(table, {1, 0}));
        break;
      case 1:  // a copy that was turned
        y = b.matmul(x, b.graph.add_constant("w", transposed(stored)));
        break;
      case 2:  // one tensor by Gemm
        y = b.op("Gemm", {b.reshape(x, {-1, 64}), table}, {{"transB", std::int64_t{1}}});
        break;
      case 3:  // a copy, turned on the way
        y = b.matmul(x, b.transpose(b.graph.add_constant("w", stored), {1, 0}));
        break;
      case 4:  // one element differs
        y = b.matmul(x, b.graph.add_constant("w", transposed(Tensor::of<float>({100, 64}, other))));
        break;
      default:  // an independent head of the same size
        y = b.linear(x, 64, 100);
    }
    b.output(y);
    const auto view = TransformerView::of(b.graph);
    EXPECT_EQ(view.head_tied_to_embedding(), form < 4);
    EXPECT_EQ(view.output_head(), 0U);
    ASSERT_NE(view.word_embedding(), nullptr);
    EXPECT_EQ(view.word_embedding()->tied_with_head, form < 4);
    EXPECT_EQ(view.units()[0].role, UnitRole::head);
    EXPECT_TRUE(view.units()[0].compressible());
  }
}

TEST(Embeddings, AreNotJustAnyGather) {
  Builder b;
  const ValueId x = b.state(64);
  const ValueId first = b.graph.add_constant("first", Tensor::scalar<std::int64_t>(0));
  b.graph.add_output(b.op("Gather", {x, first}, {{"axis", std::int64_t{1}}}));
  b.graph.add_output(b.op("Gather", {b.tensor({64}), b.ids()}));
  b.output(b.op("Gather", {b.tensor({8, 64}), b.ids()}, {{"axis", std::int64_t{1}}}));
  EXPECT_TRUE(TransformerView::of(b.graph).embeddings().empty());
}

TEST(Embeddings, SayWhenTheyAreQuantized) {
  Builder b;
  const ValueId ids = b.ids();
  const ValueId table = b.graph.add_constant(
      "table", Tensor::of<std::int8_t>({100, 64}, std::vector<std::int8_t>(6400)));
  const ValueId rows = b.op("Cast", {b.op("Gather", {table, ids})}, {{"to", std::int64_t{1}}});
  b.output(b.mul(rows, b.op("Gather", {b.tensor({100, 1}), ids})));
  const auto view = TransformerView::of(b.graph);
  ASSERT_EQ(view.embeddings().size(), 1U);
  EXPECT_EQ(view.embeddings()[0].kind, EmbeddingKind::word);
  ASSERT_FALSE(view.embeddings()[0].compressible());
  EXPECT_EQ(view.embeddings()[0].why_not[0].kind, RefusalKind::already_quantized);
}

}  // namespace
}  // namespace onnxpress
