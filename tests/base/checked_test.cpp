// SPDX-License-Identifier: Apache-2.0
#include "base/checked.h"

#include <gtest/gtest.h>

#include <limits>

namespace onnxpress {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(Checked, AddsAndMultipliesWithinRange) {
  EXPECT_EQ(checked_add(kMax - 1, 1), kMax);
  EXPECT_EQ(checked_mul(std::int64_t{1} << 31, 2), std::int64_t{1} << 32);
}

TEST(Checked, SaysWhenAResultDoesNotFit) {
  EXPECT_EQ(checked_add(kMax, 1), std::nullopt);
  EXPECT_EQ(checked_mul(std::int64_t{1} << 32, std::int64_t{1} << 32), std::nullopt);
}

}  // namespace
}  // namespace onnxpress
