// SPDX-License-Identifier: Apache-2.0
#include "model/row_shift.h"

#include <gtest/gtest.h>

#include "model/builder.h"

namespace onnxpress {
namespace {

using test::Builder;

bool ignored(Builder& b, ValueId value) {
  return ignores_row_shift(TransformerView::of(b.graph), b.graph, value);
}

TEST(RowShift, IsIgnoredByANormBehindSums) {
  Builder b;
  const ValueId words = b.embed(b.ids(), 300, 64);
  const ValueId types = b.embed(b.ids(), 20, 64);
  b.op("Shape", {words});
  b.output(b.linear(b.layer_norm(b.add(words, types), 64), 64, 2));
  EXPECT_TRUE(ignored(b, words));
  EXPECT_TRUE(ignored(b, types));
}

TEST(RowShift, IsIgnoredByAResidualStreamThatIsNormalisedForEveryReader) {
  Builder b;
  const ValueId words = b.embed(b.ids(), 300, 64);
  const ValueId branch = b.linear(b.layer_norm(words, 64), 64, 64);
  const ValueId state = b.add(words, branch);
  b.output(b.linear(b.layer_norm(state, 64), 64, 2));
  EXPECT_TRUE(ignored(b, words));
  // A head that reads the state itself sees the shift.
  b.output(b.linear(state, 64, 2));
  EXPECT_FALSE(ignored(b, words));
}

TEST(RowShift, IsSeenByAnythingElse) {
  Builder product;
  const ValueId words = product.embed(product.ids(), 300, 64);
  product.output(product.linear(words, 64, 2));
  EXPECT_FALSE(ignored(product, words));

  Builder output;
  const ValueId sum = output.add(output.embed(output.ids(), 300, 64), output.ints({1}));
  output.output(sum);
  output.output(output.layer_norm(sum, 64));
  EXPECT_FALSE(ignored(output, sum));
}

}  // namespace
}  // namespace onnxpress
