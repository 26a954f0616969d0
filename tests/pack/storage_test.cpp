// SPDX-License-Identifier: Apache-2.0
#include "pack/storage.h"

#include <gtest/gtest.h>

namespace onnxpress {
namespace {

TEST(Storage, SaysWhichGridsFitAtWhichOpset) {
  const Grid int8{8, 0, true};
  EXPECT_TRUE(why_not_storable(Storage::qdq, int8, 12).has_value());
  EXPECT_FALSE(why_not_storable(Storage::qdq, int8, 13).has_value());
  EXPECT_TRUE(why_not_storable(Storage::qdq, {4, 0, true}, 20).has_value());
  EXPECT_FALSE(why_not_storable(Storage::qdq, {4, 32, false}, 21).has_value());
  EXPECT_TRUE(why_not_storable(Storage::qdq, {8, 32, true}, 20).has_value());
  EXPECT_TRUE(why_not_storable(Storage::integer, int8, 10).has_value());
  EXPECT_FALSE(why_not_storable(Storage::integer, int8, 11).has_value());
  EXPECT_TRUE(why_not_storable(Storage::integer, {8, 32, true}, 21).has_value());
  EXPECT_TRUE(why_not_storable(Storage::integer, {8, 0, false}, 21).has_value());
}

TEST(Storage, CountsEveryByte) {
  EXPECT_EQ(stored_bytes(Storage::qdq, {8, 0, true}, 384, 1536), 384 * 1536 + 1536 * 4);
  EXPECT_EQ(stored_bytes(Storage::qdq, {8, 0, false}, 10, 6), 60 + 24 + 6);
  EXPECT_EQ(stored_bytes(Storage::qdq, {4, 32, true}, 64, 3), 96 + 6 * 4);
  EXPECT_EQ(stored_bytes(Storage::qdq, {4, 0, true}, 3, 3), 5 + 12);
  EXPECT_EQ(stored_bytes(Storage::integer, {8, 0, true}, 10, 6), 60 + 24);
}

}  // namespace
}  // namespace onnxpress
