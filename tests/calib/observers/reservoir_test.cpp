// SPDX-License-Identifier: Apache-2.0
#include "calib/observers/reservoir.h"

#include <gtest/gtest.h>

#include <vector>

namespace onnxpress {
namespace {

void add_sample(RowReservoir& reservoir, std::int64_t sample) {
  for (std::int64_t row = 0; row < 5; ++row) {
    const std::vector<float> x = {static_cast<float>(sample), static_cast<float>(row)};
    reservoir.add(sample, row, x.data());
  }
}

TEST(RowReservoir, KeepsTheSameRowsInAnyOrderAndCut) {
  RowReservoir forwards(20, 2), backwards(20, 2), left(20, 2), right(20, 2);
  for (std::int64_t i = 0; i < 100; ++i) {
    add_sample(forwards, i);
    add_sample(backwards, 99 - i);
    add_sample(i < 37 ? left : right, i);
  }
  EXPECT_EQ(forwards.size(), 20U);
  EXPECT_EQ(forwards, backwards);
  right += left;
  EXPECT_EQ(forwards, right);
  EXPECT_EQ(forwards.matrix(), right.matrix());
  for (const RowReservoir::Row& row : forwards.rows()) {
    EXPECT_EQ(row.values[0], static_cast<float>(row.place.sample));
    EXPECT_EQ(row.values[1], static_cast<float>(row.place.in_sample));
  }
}

TEST(RowReservoir, DrawsEvenly) {
  int early = 0;
  RowReservoir reservoir(1000, 2);
  for (std::int64_t i = 0; i < 2000; ++i) add_sample(reservoir, i);
  for (const RowReservoir::Row& row : reservoir.rows()) early += row.place.sample < 1000 ? 1 : 0;
  EXPECT_NEAR(early, 500, 3 * 16);  // three standard deviations
}

TEST(RowReservoir, KeepsAllOfFew) {
  RowReservoir reservoir(10, 2), none(0, 2);
  add_sample(reservoir, 3);
  add_sample(none, 3);
  EXPECT_EQ(reservoir.size(), 5U);
  EXPECT_EQ(none.size(), 0U);
}

}  // namespace
}  // namespace onnxpress
