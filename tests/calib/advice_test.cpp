// SPDX-License-Identifier: Apache-2.0
#include "calib/advice.h"

#include <gtest/gtest.h>

namespace onnxpress {
namespace {

TEST(AdviseDamping, FewTokensWantMore) {
  EXPECT_EQ(advise_damping(4 * 768, 768).damping, 0.01);
  EXPECT_EQ(advise_damping(4 * 768 - 1, 768).damping, 0.05);
  EXPECT_EQ(advise_damping(2 * 768 - 1, 768).damping, 0.1);
  EXPECT_TRUE(advise_damping(2 * 768, 768).warning.empty());
  EXPECT_NE(advise_damping(100, 768).warning.find("3072"), std::string::npos);
}

TEST(AdviseDamping, CountsRowsThatAreHeldOut) {
  StageMoments moments;
  moments.train.edited = Gram(8);
  moments.train.edited.rows = 24;
  EXPECT_EQ(advise_damping(moments).damping, 0.05);
  moments.held_out.edited = Gram(8);
  moments.held_out.edited.rows = 8;
  EXPECT_EQ(advise_damping(moments).damping, 0.01);
}

}  // namespace
}  // namespace onnxpress
