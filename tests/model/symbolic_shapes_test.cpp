// SPDX-License-Identifier: Apache-2.0
#include "model/symbolic_shapes.h"

#include <gtest/gtest.h>

#include "model/builder.h"

namespace onnxpress {
namespace {

using test::Builder;
using Sizes = std::vector<std::int64_t>;

// The sizes of a value, -1 where not known; empty where the rank is not known.
Sizes sizes(Builder& b, ValueId value) {
  b.graph.sort();
  const SymbolicShapes shapes(b.graph);
  const SymbolicShape* shape = shapes.shape(value);
  Sizes found;
  for (std::size_t i = 0; shape != nullptr && i < shape->size(); ++i) {
    found.push_back(shapes.size(value, static_cast<std::int64_t>(i)));
  }
  return found;
}

TEST(SymbolicShapes, CancelsWhatIsCopiedFromTheInput) {
  Builder b;
  const ValueId x = b.state(48);
  const ValueId leading = b.slice(b.op("Shape", {x}), 0, 2, 0);
  const ValueId y = b.op("Reshape", {x, b.concat({leading, b.ints({-1, 12})}, 0)});
  EXPECT_EQ(sizes(b, y), (Sizes{-1, -1, 4, 12}));
  EXPECT_EQ(sizes(b, b.reshape(y, {0, 0, -1})), (Sizes{-1, -1, 48}));
  EXPECT_EQ(sizes(b, b.transpose(y, {0, 2, 3, 1})), (Sizes{-1, 4, 12, -1}));
  EXPECT_EQ(sizes(b, b.reshape(x, {-1, 48})), (Sizes{-1, 48}));
}

TEST(SymbolicShapes, FollowsTheArithmeticOfExporters) {
  Builder b;
  const ValueId x = b.state(48);
  const ValueId index = b.graph.add_constant("i", Tensor::scalar<std::int64_t>(-1));
  const ValueId last = b.op("Gather", {b.op("Shape", {x}), index});
  const ValueId three = b.graph.add_constant("three", Tensor::scalar<std::int64_t>(3));
  const ValueId third = b.op("Unsqueeze", {b.op("Div", {last, three}), b.ints({0})});
  const ValueId y = b.op("Slice", {x, b.ints({0}), third, b.ints({2})});
  EXPECT_EQ(sizes(b, y), (Sizes{-1, -1, 16}));
  // Expand, where -1 stands for "as it is": Where(shape == -1, 1, shape)
  const ValueId wanted = b.concat({b.slice(b.op("Shape", {x}), 0, 2, 0), b.ints({-1})}, 0);
  const ValueId ones =
      b.op("ConstantOfShape", {b.ints({3})}, {{"value", Tensor::of<std::int64_t>({1}, {1})}});
  const ValueId none = b.op("Mul", {ones, b.ints({-1})});
  const ValueId dims = b.op("Where", {b.op("Equal", {wanted, none}), ones, wanted});
  EXPECT_EQ(sizes(b, b.op("Expand", {x, dims})), (Sizes{-1, -1, 48}));
}

TEST(SymbolicShapes, ReadsSplitsGathersAndProducts) {
  Builder b;
  const ValueId x = b.state(48);
  const auto parts = b.ops("Split", {x, b.ints({30, 18})}, 2, {{"axis", std::int64_t{-1}}});
  EXPECT_EQ(sizes(b, parts[0]), (Sizes{-1, -1, 30}));
  EXPECT_EQ(sizes(b, parts[1]), (Sizes{-1, -1, 18}));
  EXPECT_EQ(sizes(b, b.matmul(parts[1], b.tensor({18, 7}))), (Sizes{-1, -1, 7}));
  EXPECT_EQ(sizes(b, b.matmul(x, b.transpose(x, {0, 2, 1}))), (Sizes{-1, -1, -1}));
  EXPECT_EQ(sizes(b, b.embed(b.ids(), 9, 5)), (Sizes{-1, -1, 5}));
  EXPECT_EQ(sizes(b, b.op("Unsqueeze", {x, b.ints({1, -1})})), (Sizes{-1, 1, -1, 48, 1}));
}

TEST(SymbolicShapes, SaysNothingOfWhatIsWrongOrUnknown) {
  Builder b;
  const ValueId x = b.state(48);
  EXPECT_EQ(sizes(b, b.op("Fancy", {x}, {}, "my.domain")), Sizes{});
  EXPECT_EQ(sizes(b, b.transpose(x, {0, 9, 1})), Sizes{});
  EXPECT_EQ(sizes(b, b.op("Unsqueeze", {x, b.ints({77})})), Sizes{});
  EXPECT_EQ(sizes(b, b.reshape(x, {0, 0, -1, 7})), (Sizes{-1, -1, -1, 7}));
  const ValueId huge = b.reshape(x, {INT64_MAX, INT64_MAX, -1});
  EXPECT_EQ(sizes(b, huge), (Sizes{INT64_MAX, INT64_MAX, -1}));
  EXPECT_EQ(sizes(b, b.reshape(huge, {-1})), Sizes{-1});
}

}  // namespace
}  // namespace onnxpress
